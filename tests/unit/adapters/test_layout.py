"""What is kept of pools that are read at every block never outlives what it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.adapters import parts
from indexer.adapters.layout import laid_out
from indexer.adapters.parts import kept_by_set
from indexer.adapters.pools import Pool, pool_data, pools_of
from indexer.adapters.registry import adapter, parse_params
from indexer.model import Address, BlockRef, Found, Hash, Holding, Status
from indexer.reads.abi import interface
from indexer.reads.plan import Ask, Failed
from indexer.testing import Contracts, drive

AT = BlockRef(100, Hash("0x" + "01" * 32), Hash("0x" + "02" * 32), 1_700_000_000)
A, B, C, ONE, TWO = (Address(f"0x{n:040x}") for n in range(0x21, 0x26))


def found(pool: Address, *tokens: Address) -> Found:
    return Found(pool, 1, pool_data(pool, tokens))


def read(kind: str, known: Sequence[Found], table: Any, **params: Any) -> list[Holding]:
    return drive(adapter(kind).read(parse_params(kind, params), known, AT), Contracts(table))


def pair(*reserves: int) -> dict[str, Any]:
    return {"getReserves": (*reserves, 0)}


@given(st.lists(st.integers(0, 3)), st.integers(0, 2))
def test_every_pool_is_given_the_answers_to_its_own_questions(sizes: list[int], others: int) -> None:
    pools = tuple(Pool(Address(f"0x{n:040x}")) for n in range(len(sizes)))

    def asks_of(pool: Pool, params: list[int]) -> list[Ask]:
        return [interface("erc20").balanceOf(pool.address, A)] * params[int(pool.address, 16)]

    first = [interface("erc20").totalSupply(A)] * others
    answered = drive(_asked(asks_of, sizes, pools, first), lambda ask: getattr(ask, "target", None))
    assert answered == ((A,) * others, [(p.address,) * n for p, n in zip(pools, sizes, strict=True)])


def _asked(asks_of: Any, sizes: list[int], pools: tuple[Pool, ...], first: list[Ask]) -> Any:
    return (yield from laid_out.__wrapped__(asks_of, sizes, pools).asked(first))  # type: ignore[attr-defined]


def test_the_same_pools_with_the_same_answers_have_the_same_holdings_and_only_another_answer_makes_others() -> None:
    known, table = [found(ONE, A, B), found(TWO, A, C)], {ONE: pair(1, 2), TWO: pair(3, 4)}
    first = read("uniswap_v2", known, table, pairs=[ONE, TWO])
    again = read("uniswap_v2", list(known), {**table, TWO: pair(3, 5)}, pairs=[ONE, TWO])
    assert [h.amount for h in first] == [1, 2, 3, 4]
    assert [h.amount for h in again] == [1, 2, 3, 5]
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, True, True, False]


def test_pools_that_are_asked_in_another_way_have_a_layout_of_their_own() -> None:
    known, table = [found(ONE, A, B)], {ONE: pair(1, 2), A: {"balanceOf": 7}, B: {"balanceOf": 8}}
    reserves, balances = (read("uniswap_v2", known, table, pairs=[ONE], amounts=a) for a in ("reserves", "balances"))
    assert [h.amount for h in reserves] == [1, 2]
    assert [h.amount for h in balances] == [7, 8]


def test_a_pool_that_names_its_tokens_later_is_read_from_then_on() -> None:
    nameless: dict[Address, Any] = {ONE: {**pair(1, 2), "token0": A, "token1": Failed(Status.HELD, "reverted")}}
    (held,) = read("uniswap_v2", [], nameless, pairs=[ONE])
    assert (held.owner, held.amount, held.reason) == (ONE, None, "reverted")
    named = read("uniswap_v2", [], {ONE: {**nameless[ONE], "token1": B}}, pairs=[ONE])
    assert [(h.token, h.amount) for h in named] == [(A, 1), (B, 2)]
    assert read("uniswap_v2", [], nameless, pairs=[ONE]) == [held]


def test_what_was_found_since_is_read_though_the_rest_is_kept() -> None:
    known, table = [found(ONE, A, B)], {A: {"balanceOf": 7}, B: {"balanceOf": 8}, C: {"balanceOf": 9}}
    assert [h.token for h in read("uniswap_v3", known, table, pools=[ONE])] == [A, B]
    known.append(found(TWO, A, C))
    assert [h.token for h in read("uniswap_v3", known, table, pools=[ONE, TWO])] == [A, B, A, C]
    moved = [known[0], found(TWO, B, C)]
    assert [h.token for h in read("uniswap_v3", moved, table, pools=[ONE, TWO])] == [A, B, B, C]


def test_the_same_discoveries_are_the_same_pools() -> None:
    known = [found(ONE, A, B), found(TWO, A, C)]
    first, again = (drive(pools_of(list(known)), Contracts({})) for _ in range(2))
    assert first == again
    assert [pool.tokens for pool in first] == [(A, B), (A, C)]


def test_of_a_set_too_large_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LARGE_SET", 2)
    monkeypatch.setattr(parts, "SMALL_SET", 1)
    made: list[tuple[int, ...]] = []

    @kept_by_set
    def total(numbers: tuple[int, ...]) -> int:
        made.append(numbers)
        return sum(numbers)

    sets = [(1,), (1, 2), (1, 2, 3)]
    assert [total(numbers) for numbers in sets * 2] == [1, 3, 6] * 2
    assert made == [*sets, (1, 2, 3)]
