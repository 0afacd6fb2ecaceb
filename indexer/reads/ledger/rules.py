"""Which logs determine which call: the one place that knows.

A call is *folded* where its answer follows from the answer before and the logs since; *triggered* where logs say when
it may have changed; *timed* where it may change in silence, and has no rule. Pure: never asks, never keeps anything.

Sources: https://eips.ethereum.org/EIPS/eip-20 (Transfer), the WETH9 contract at
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2 (Deposit, Withdrawal), UniswapV2Pair.sol and Solidly's BaseV1-core.sol
(`_update` emits Sync, and adds up prices or reserves over time), AggregatorV2V3Interface.sol and EACAggregatorProxy.sol
of Chainlink (AnswerUpdated, round ids of phases).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from indexer.model import Address, Hash, Log, LogQuery
from indexer.reads.abi import function, interface, topic
from indexer.reads.source import Key

State: TypeAlias = tuple[int, ...] | bytes
"""What is kept of an answer: its numbers, or, where nothing is computed with it, its bytes."""

Effect: TypeAlias = Callable[[State, Log, int], State | None]
"""A state, a log, the block's timestamp -> the state after it; None where that does not follow from the log."""

Skips: TypeAlias = Callable[[State, State], bool]
"""Whether there must have been another log between two, from the states before and after the second one."""

Effects: TypeAlias = Mapping[tuple[Hash | None, int], Effect]

WORD = 32
ZERO = Hash("0x" + "0" * 64)
ANYONE = Hash("")
ANY_BLOCK = 2**63 - 1
MOST_EMITTERS = 500
"""Of more contracts than this, logs are asked for by their subjects alone."""


class Way(StrEnum):
    """How a call is answered at the next block."""

    FOLDED = "folded"
    TRIGGERED = "triggered"
    TIMED = "timed"


@dataclass(frozen=True, slots=True)
class Watch:
    """Logs of `emitter` that change an answer, and how.

    `event` is their first topic (None: any log), `subject` what their topic at `place` must be (place 0: nothing).
    """

    emitter: Address
    effect: Effect
    event: Hash | None = None
    place: int = 0
    subject: Hash = ANYONE

    def finds(self, log: Log) -> bool:
        """Whether a log is watched for."""
        if log.address != self.emitter or (self.event is not None and log.topics[:1] != (self.event,)):
            return False
        return not self.place or log.topics[self.place : self.place + 1] == (self.subject,)


@dataclass(frozen=True, slots=True)
class RunningSum:
    """What a contract adds up, modulo 2**256, of its past states, and answers to `selector`: at each change it adds
    `between(the state before, the state after)`. A contract may keep none, and answer 0 or not at all."""

    selector: bytes
    between: Callable[[State, State], int]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one call's answer is kept up to date: what logs of its `emitters` do to it.

    `effects` are by the logs' first topic (None: any log), and by the place of the topic that must be the `subject` (0:
    none must). `read` makes a state of an answer, None where it is not of the layout that the rule knows; `write` the
    answer of a state. The first `amounts` numbers of a state are token amounts: what they gain and lose is a flow.
    `may_accrue`: of some contracts the answer also grows with time. `must_move`: some contracts change it in silence,
    so that nothing is known before a log has once changed it. Where a log says the whole state, so that the next one
    hides one that is missing, `sums` and `skips` show what was missing. Of thousands of calls, emitters and subject
    alone differ.
    """

    way: Way
    effects: Effects
    read: Callable[[bytes], State | None]
    write: Callable[[State], bytes]
    amounts: int = 0
    may_accrue: bool = False
    must_move: bool = False
    sums: tuple[RunningSum, ...] = ()
    skips: Skips | None = None
    emitters: tuple[Address, ...] = ()
    subject: Hash = ANYONE

    def places(self) -> set[tuple[Address, Hash | None]]:
        """Each emitter with a topic that must stand in those logs at some place; None: whatever stands there."""
        topics = {self.subject if place else event for event, place in self.effects}
        return {(emitter, topic) for emitter in self.emitters for topic in topics}

    @property
    def watches(self) -> list[Watch]:
        """The logs that it must see."""
        effects = self.effects.items()
        return [
            Watch(emitter, effect, event, place, self.subject)
            for emitter in self.emitters
            for (event, place), effect in effects
        ]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What rules must know beside the call: the chain's wrapped coin, the aggregators that were read behind feeds, and
    of which contracts every change shows in a log of some emitters."""

    wrapped: Address | None = None
    aggregators: Mapping[Address, Address] = field(default_factory=dict)
    touched_by: Mapping[Address, tuple[Address, ...]] = field(default_factory=dict)


def rule_of(key: Key, around: Surroundings) -> Rule | None:
    """The rule of a question; None for those that are timed."""
    if not isinstance(key, tuple):
        return None
    target, data = key
    fold = _FOLDS.get(data[:4])
    if fold is not None:
        return fold(target, data[4:], around)
    if target in around.touched_by:
        return replace(_TOUCHED, emitters=around.touched_by[target])
    return replace(_CONSTANT, emitters=(target,)) if data[:4] in _CONSTANTS else None


def is_feed(key: Key) -> bool:
    """Whether the aggregator behind the question's target must be known before it has a rule."""
    return isinstance(key, tuple) and key[1] == _LATEST_ROUND


def queries(watches: Iterable[Watch]) -> list[LogQuery]:
    """As few log queries, of any block, as find all that is watched; they may find more. One a place of a subject."""
    by_place: dict[int, list[Watch]] = {}
    for watch in watches:
        by_place.setdefault(-1 if watch.event is None else watch.place, []).append(watch)
    return [_query(place, some) for place, some in sorted(by_place.items())]


def _query(place: int, watches: list[Watch]) -> LogQuery:
    emitters = tuple(sorted({watch.emitter for watch in watches}))
    events = tuple(sorted({watch.event for watch in watches if watch.event is not None}))
    if place <= 0:
        return LogQuery(emitters, (events,) if events else (), 0, ANY_BLOCK)
    subjects = tuple(sorted({watch.subject for watch in watches}))
    topics = (events, *[None] * (place - 1), subjects)
    return LogQuery(emitters if len(emitters) <= MOST_EMITTERS else (), topics, 0, ANY_BLOCK)


def _balance(token: Address, argument: bytes, around: Surroundings) -> Rule | None:
    """Of any holder but the zero address, from which tokens only seem to come."""
    if len(argument) != WORD or any(argument[:12]) or not any(argument):
        return None
    rule = _WRAPPED_BALANCE if token == around.wrapped else _BALANCE
    return replace(rule, emitters=(token,), subject=Hash("0x" + argument.hex()))


def _supply(token: Address, _: bytes, around: Surroundings) -> Rule | None:
    """Minted minus burnt. The wrapped coin's is its balance of the coin, which can grow in silence."""
    return None if token == around.wrapped else replace(_SUPPLY, emitters=(token,), subject=ZERO)


def _reserves(pair: Address, _: bytes, around: Surroundings) -> Rule | None:
    return replace(_RESERVES, emitters=(pair,))


def _feed(proxy: Address, _: bytes, around: Surroundings) -> Rule | None:
    aggregator = around.aggregators.get(proxy)
    return None if aggregator is None else replace(_FEED, emitters=(aggregator,))


def _came(state: State, log: Log, _: int) -> State | None:
    return (state[0] + int.from_bytes(log.data, "big"),) if len(log.data) == WORD else None


def _went(state: State, log: Log, _: int) -> State | None:
    left = state[0] - int.from_bytes(log.data, "big")
    return (left,) if len(log.data) == WORD and left >= 0 else None


def _synced(_: State, log: Log, timestamp: int) -> State | None:
    """Both reserves, and the block's time as the pair keeps it, in 32 bits."""
    if len(log.data) != 2 * WORD:
        return None
    return int.from_bytes(log.data[:WORD], "big"), int.from_bytes(log.data[WORD:], "big"), timestamp % 2**32


def _answered(state: State, log: Log, _: int) -> State | None:
    """The proxy's round: its phase above 64 bits, the aggregator's round below."""
    if len(log.topics) != 3 or len(log.data) != WORD:
        return None
    current, number = (int(topic, 16) for topic in log.topics[1:])
    updated_at = int.from_bytes(log.data, "big")
    round_id = state[0] >> 64 << 64 | number
    return round_id, current, updated_at, updated_at, round_id


def _skips_a_round(before: State, after: State) -> bool:
    """An aggregator numbers its rounds one by one; another phase begins anew."""
    first, second = before[0], after[0]
    return first >> 64 == second >> 64 and second - first > 1


def _price_over_time(before: State, after: State) -> int:
    """Of Uniswap V2: reserve1 / reserve0 in 112 binary places, times the seconds that it lasted."""
    return (before[1] << 112) // before[0] * _lasted(before, after) if all(before[:2]) else 0


def _reserve_over_time(before: State, after: State) -> int:
    """Of Solidly: reserve0 times the seconds that it lasted."""
    return before[0] * _lasted(before, after) if all(before[:2]) else 0


def _lasted(before: State, after: State) -> int:
    return (after[2] - before[2]) % 2**32


def _unknown(*_: object) -> State | None:
    return None


def _numbers(count: int) -> Callable[[bytes], State | None]:
    def read(raw: bytes) -> State | None:
        if len(raw) != WORD * count:
            return None
        return tuple([int.from_bytes(raw[i : i + WORD], "big") for i in range(0, len(raw), WORD)])

    return read


def _round_of(raw: bytes) -> State | None:
    """A round whose every number AnswerUpdated tells: one that started when it was updated, and was answered in itself.

    Other aggregators keep times that only their transmissions say: those are read again when they have an answer.
    """
    state = _numbers(5)(raw)
    if state is None or state[2] != state[3] or state[0] != state[4]:
        return None
    return state


def _words(state: State) -> bytes:
    return b"".join([number.to_bytes(WORD, "big") for number in state])


def _as_bytes(state: State) -> bytes:
    return bytes(state)


TRANSFER = interface("erc20").events["Transfer"]
_DEPOSIT, _WITHDRAWAL = topic("Deposit(address,uint256)"), topic("Withdrawal(address,uint256)")
_SYNCS = (topic("Sync(uint112,uint112)"), topic("Sync(uint256,uint256)"))
_ANSWER_UPDATED = interface("aggregator_v3").events["AnswerUpdated"]
_UPGRADED = topic("Upgraded(address)")
_LATEST_ROUND = interface("aggregator_v3").latestRoundData.selector
_MOVED: Effects = {(TRANSFER, 1): _went, (TRANSFER, 2): _came}
_WRAPPED: Effects = {(_DEPOSIT, 1): _came, (_WITHDRAWAL, 1): _went}
_BALANCE = Rule(Way.FOLDED, _MOVED, _numbers(1), _words, 1, may_accrue=True)
_WRAPPED_BALANCE = replace(_BALANCE, effects={**_MOVED, **_WRAPPED})
_SUPPLY = replace(_BALANCE, effects={(TRANSFER, 1): _came, (TRANSFER, 2): _went})
_SUMS = (
    RunningSum(function("price0CumulativeLast()").selector, _price_over_time),
    RunningSum(function("reserve0CumulativeLast()").selector, _reserve_over_time),
)
_RESERVES = Rule(Way.FOLDED, {(event, 0): _synced for event in _SYNCS}, _numbers(3), _words, 2, sums=_SUMS)
_FEED = Rule(Way.FOLDED, {(_ANSWER_UPDATED, 0): _answered}, _round_of, _words, must_move=True, skips=_skips_a_round)
_CONSTANT = Rule(Way.TRIGGERED, {(_UPGRADED, 0): _unknown}, bytes, _as_bytes)
_TOUCHED = replace(_CONSTANT, effects={(None, 0): _unknown})
_FOLDS: Mapping[bytes, Callable[[Address, bytes, Surroundings], Rule | None]] = {
    interface("erc20").balanceOf.selector: _balance,
    interface("erc20").totalSupply.selector: _supply,
    interface("uniswap_v2_pair").getReserves.selector: _reserves,
    _LATEST_ROUND: _feed,
}
_CONSTANTS = frozenset(
    function(f"{name}()").selector
    for name in ("decimals", "symbol", "description", "token0", "token1", "factory", "asset")
)
"""What a contract says of itself for ever, but for an upgrade, which its log tells (EIP-1967)."""
