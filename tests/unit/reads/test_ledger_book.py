"""Folding logs gives at every block what the contracts themselves would answer, through reorgs of any depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.model import Address, LogQuery
from indexer.reads.ledger.book import Book
from indexer.reads.ledger.rules import Surroundings, Way, queries, rule_of
from indexer.reads.source import Key
from tests.unit.reads.ledger_worlds import (
    AROUND,
    DEPOSIT,
    ERC20,
    FEED,
    HOLDERS,
    KEYS,
    NOBODY,
    PAIR,
    PAIRS,
    PROXY,
    SYNC,
    TOKENS,
    TRANSFER,
    WETH,
    World,
    key_of,
    padded,
    word,
)

BALANCE = key_of(ERC20.balanceOf, TOKENS[1], HOLDERS[0])
RESERVES = key_of(PAIR.getReserves, PAIRS[0])


def opened(world: World, keys: Iterable[Key] = KEYS) -> Book:
    """A book over what the world answers now."""
    book, answers = Book(world.number), world.answers()
    for key in keys:
        rule = rule_of(key, AROUND)
        assert rule is not None
        state = rule.read(answers[key])
        assert state is not None
        book.open(key, rule, state, world.number, world.timestamp)
    return book


def answered(book: Book, number: int) -> dict[Key, bytes | None]:
    """What the book says of a block; None where it says that it does not know."""
    states = {key: (track, track.at(number)) for key, track in book.tracks.items()}
    return {key: None if state is None else track.rule.write(state) for key, (track, state) in states.items()}


def agrees(book: Book, number: int, truth: Mapping[Key, bytes]) -> None:
    """Every folded answer since its track was opened is the truth; a triggered one may be unknown, never wrong."""
    for key, said in answered(book, number).items():
        track = book.tracks[key]
        unknown = said is None and (number < track.opened or track.rule.way is Way.TRIGGERED)
        assert unknown or said == truth[key]


@given(seed=st.integers(0, 2**32), blocks=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_every_answer_at_every_block_is_what_the_contracts_say(seed: int, blocks: int) -> None:
    world = World(seed)
    for _ in range(20):
        world.block()
    book, truth = opened(world), {world.number: world.answers()}
    for _ in range(blocks):
        book.fold(*world.block())
        truth[world.number] = world.answers()
    for number, answers in truth.items():
        agrees(book, number, answers)


@given(
    seed=st.integers(0, 2**32),
    steps=st.lists(st.integers(-6, 8).filter(bool), min_size=1, max_size=12),
    late=st.integers(0, 30),
)
@settings(deadline=None, max_examples=80)
def test_after_reorgs_of_any_depth_the_book_is_that_of_one_who_never_saw_them(
    seed: int, steps: list[int], late: int
) -> None:
    """A step up folds so many blocks, a step down takes so many back; a question may be opened in between."""
    worlds = [World(seed)]
    book = opened(worlds[0], KEYS[::2])
    for salt, step in enumerate(steps):
        for _ in range(step):
            worlds.append(deepcopy(worlds[-1]))
            book.fold(*worlds[-1].block(salt))
            if len(worlds) == late:
                rule = rule_of(KEYS[1], AROUND)
                assert rule is not None
                book.open(KEYS[1], rule, rule.read(worlds[-1].answers()[KEYS[1]]) or (), book.tip, 0)
        if step < 0:
            del worlds[max(1, len(worlds) + step) :]
            book.rewind(worlds[-1].number)
    fresh = opened(worlds[0], KEYS[::2])
    for world in worlds[1:]:
        fresh.fold(world.number, world.timestamp, world.logs)
    assert book.tip == fresh.tip == worlds[-1].number
    for key in KEYS[::2]:
        assert (book.tracks[key].numbers, book.tracks[key].states) == (
            fresh.tracks[key].numbers,
            fresh.tracks[key].states,
        )
    for world in worlds:
        agrees(book, world.number, world.answers())


@given(seed=st.integers(0, 2**32), upto=st.integers(0, 20))
@settings(deadline=None, max_examples=30)
def test_forgetting_the_past_changes_no_later_answer(seed: int, upto: int) -> None:
    world = World(seed)
    book, truth = opened(world), {}
    for _ in range(20):
        book.fold(*world.block())
        truth[world.number] = world.answers()
    book.forget(upto)
    for number in range(max(upto, 1), 21):
        agrees(book, number, truth[number])


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_what_came_minus_what_went_is_the_change_of_each_amount(seed: int) -> None:
    world = World(seed)
    book = opened(world)
    for _ in range(20):
        before = {key: track.state for key, track in book.tracks.items()}
        moves = book.fold(*world.block())
        for key, track in book.tracks.items():
            moved = moves.get(track, [0, 0] * track.rule.amounts)
            for index, (came, went) in enumerate(zip(moved[::2], moved[1::2], strict=True)):
                was, now = before[key], track.state
                assert was is not None
                assert now is not None
                assert now[index] - was[index] == came - went


def test_what_comes_and_goes_within_a_block_is_in_both() -> None:
    world = World(1)
    book = opened(world)
    world.number, world.logs = 1, []
    world.move(TOKENS[1], HOLDERS[1], HOLDERS[0], 70)
    world.move(TOKENS[1], HOLDERS[0], HOLDERS[1], 70)
    moves = book.fold(1, world.timestamp, world.logs)
    assert moves[book.tracks[BALANCE]] == [70, 70]
    assert book.tracks[BALANCE].state == (0,)


def test_logs_that_take_more_than_there_was_leave_the_answer_unknown() -> None:
    world = World(1)
    book = opened(world)
    world.number, world.logs = 1, []
    world.move(TOKENS[1], HOLDERS[0], HOLDERS[1], 5)
    book.fold(1, world.timestamp, world.logs)
    assert book.tracks[BALANCE].state is None
    assert book.tracks[BALANCE].at(0) == (0,)
    book.rewind(0)
    assert book.tracks[BALANCE].state == (0,)


def test_logs_of_other_layouts_are_left_to_others() -> None:
    """An NFT's transfer has its id as a fourth topic and no data; a very old token's has no topics."""
    world = World(1)
    book = opened(world)
    world.number, world.logs = 1, []
    world.emit(TOKENS[1], (TRANSFER, padded(HOLDERS[1]), padded(HOLDERS[0]), padded(9)), b"")
    book.fold(1, world.timestamp, world.logs)
    assert book.tracks[BALANCE].state is None
    world.number, world.logs = 2, []
    world.emit(PAIRS[0], (SYNC,), word(1))
    world.emit(PAIRS[1], (), word(1))
    book.fold(2, world.timestamp, world.logs)
    assert book.tracks[RESERVES].state is None


def test_the_same_block_is_never_folded_twice() -> None:
    book = opened(World(1))
    book.fold(1, 0, [])
    with pytest.raises(ValueError, match="folded already"):
        book.fold(1, 0, [])


def test_questions_that_may_change_in_silence_have_no_rule() -> None:
    silent = [
        key_of(ERC20.balanceOf, TOKENS[1], NOBODY),
        key_of(ERC20.totalSupply, WETH),
        key_of(FEED.latestRoundData, TOKENS[0]),
        (TOKENS[0], b"\x01\x02\x03\x04"),
    ]
    assert [rule_of(key, AROUND) for key in silent] == [None] * 4


def test_a_deposit_counts_at_the_wrapped_coin_only() -> None:
    for token, counted in ((WETH, True), (TOKENS[1], False)):
        rule = rule_of(key_of(ERC20.balanceOf, token, HOLDERS[0]), AROUND)
        assert rule is not None
        assert any(watch.event == DEPOSIT for watch in rule.watches) == counted


def test_a_round_that_a_transmission_dates_is_not_folded() -> None:
    rule = rule_of(key_of(FEED.latestRoundData, PROXY), AROUND)
    assert rule is not None
    assert rule.read(b"".join(map(word, (5, 100, 10, 10, 5)))) == (5, 100, 10, 10, 5)
    assert rule.read(b"".join(map(word, (5, 100, 9, 10, 5)))) is None
    assert rule.read(b"".join(map(word, (5, 100, 10, 10, 4)))) is None


def test_a_few_queries_find_every_log_that_is_watched() -> None:
    asked = queries(opened(World(1)).watches())
    assert len(asked) == 4
    world = World(3)
    for _ in range(50):
        for log in world.block()[2]:
            assert any(_finds(query, log.address, log.topics) for query in asked)


def _finds(query: LogQuery, address: Address, topics: tuple[str, ...]) -> bool:
    if query.addresses and address not in query.addresses:
        return False
    pairs = zip(query.topics, topics, strict=False)
    return len(topics) >= len(query.topics) and all(wanted is None or topic in wanted for wanted, topic in pairs)


def test_of_very_many_tokens_logs_are_asked_for_by_holder() -> None:
    many = [key_of(ERC20.balanceOf, Address(f"0x{i:040x}"), HOLDERS[0]) for i in range(1, 700)]
    rules = [rule_of(key, Surroundings()) for key in many]
    asked = queries([watch for rule in rules if rule for watch in rule.watches])
    assert [query.addresses for query in asked] == [(), ()]
