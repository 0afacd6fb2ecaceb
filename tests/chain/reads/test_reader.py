"""A reader on a real chain: what goes over the wire, and what one contract can do to another's number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from devnet.chain import Devnet
from devnet.protocols.multicall3 import MULTICALL3, place_multicall3
from indexer.chain.base import Replies, Request
from indexer.errors import ChainUnavailable, EndpointError, Verdict, WrongFork
from indexer.model import Address, BlockRef, Status
from indexer.reads.abi import function, interface
from indexer.reads.batch import Reader
from indexer.reads.plan import Ask, Call, Failed, Log, LogQuery, NativeBalance
from indexer.reads.rounds import Session
from tests.chain.reads.hostile_world import (
    ARBSYS_SHIFT,
    BURNER,
    HONEST,
    LOOKUP,
    NEEDS_400K,
    NO_CODE,
    RETURN_BOMB,
    REVERT_BOMB,
    SILENT,
    TWO_FACED,
    ReadsChain,
    block_ref,
)
from tests.chain.reads.plain_transport import PlainTransport

pytestmark = pytest.mark.anvil

MULTICALL = Address(MULTICALL3)
ERC20 = interface("erc20")
NUMBER = function("number()(uint256)")
BOMBS = (BURNER, RETURN_BOMB, REVERT_BOMB, SILENT, NO_CODE)


def transport(chain: ReadsChain, *labels: str) -> PlainTransport:
    return PlainTransport({label: chain.net.url for label in labels or ("a",)})


def token_reads(chain: ReadsChain) -> list[Ask]:
    balances: list[Ask] = [ERC20.balanceOf(token, chain.holder) for token in chain.tokens]
    return [*balances, ERC20.symbol(chain.tokens[0]), NativeBalance(chain.holder)]


def honest_calls(count: int) -> list[Call]:
    """Distinct questions to a contract that answers 42 to all."""
    return [function(f"question{i}()(uint256)")(HONEST) for i in range(count)]


def expected_tokens(chain: ReadsChain) -> list[Any]:
    wei = int(chain.net.rpc("eth_getBalance", chain.holder, hex(chain.at.number)), 16)
    return [1_000, 1_001, 1_002, "T0", wei]


async def solo(chain: ReadsChain, asks: Sequence[Ask], at: BlockRef) -> list[Any]:
    """The same asks without any batch."""
    return await Reader(transport(chain), None).read(asks, at)


def pinned_by_hash(request: Request, at: BlockRef) -> bool:
    return request.params[1] == {"blockHash": at.hash}


async def test_reads_of_one_block_are_one_request_pinned_by_its_hash(reads_chain: ReadsChain) -> None:
    wire = transport(reads_chain)
    answers = await Reader(wire, MULTICALL).read(token_reads(reads_chain) * 2, reads_chain.at)
    assert answers == expected_tokens(reads_chain) * 2
    assert [request.method for request in wire.requests] == ["eth_call"]
    assert pinned_by_hash(wire.requests[0], reads_chain.at)


async def test_the_same_question_is_on_the_wire_once_whoever_asks_it(reads_chain: ReadsChain) -> None:
    wire = transport(reads_chain)
    reader = Reader(wire, MULTICALL)
    await reader.read([ERC20.balanceOf(reads_chain.tokens[0], reads_chain.holder)] * 50, reads_chain.at)
    calldata = wire.requests[0].params[0]["data"]
    assert calldata.count(ERC20.balanceOf.selector.hex()) == 1
    session = Session(reader, reads_chain.at)

    def plan() -> Any:
        return (yield token_reads(reads_chain))

    await session.run({"holdings": plan()})
    sent = len(wire.requests)
    await session.run({"again": plan()})
    assert len(wire.requests) == sent


@pytest.mark.parametrize(
    ("multicall", "first_block"), [(MULTICALL, 10**9), (None, 0)], ids=["state override", "one by one"]
)
async def test_blocks_before_multicall_existed_read_the_same(
    reads_chain: ReadsChain, multicall: Address | None, first_block: int
) -> None:
    at = reads_chain.early
    assert reads_chain.net.rpc("eth_getCode", MULTICALL, hex(at.number)) == "0x"
    wire = transport(reads_chain)
    reader = Reader(wire, multicall, first_block)
    answers = await reader.read(token_reads(reads_chain)[:4], at)
    assert answers == expected_tokens(reads_chain)[:4]
    assert all(pinned_by_hash(r, at) for r in wire.requests if r.method != "eth_getCode")
    assert reader.sent.multicalls == (1 if multicall else 0)
    await reader.read(token_reads(reads_chain), at)
    assert sum(request.method == "eth_getCode" for request in wire.requests) == (1 if multicall else 0)


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("position", [0, 150, 300])
async def test_a_bomb_never_changes_a_neighbours_value(reads_chain: ReadsChain, bomb: Address, position: int) -> None:
    calls = honest_calls(300)
    calls.insert(position, NUMBER(bomb))
    answers = await Reader(transport(reads_chain), MULTICALL).read(calls, reads_chain.at)
    failed = answers.pop(position)
    assert answers == [42] * 300
    assert isinstance(failed, Failed)
    assert failed.status is not Status.OK
    assert len(failed.reason) <= 512


async def test_each_bomb_gets_the_status_and_reason_that_is_its_own(reads_chain: ReadsChain) -> None:
    asks = [NUMBER(bomb) for bomb in BOMBS]
    reader = Reader(transport(reads_chain), MULTICALL)
    burner, long_answer, revert, silent, missing = await reader.read(asks, reads_chain.at)
    assert burner == Failed(Status.HELD, "needs more gas than the endpoints give, alone")
    assert long_answer == Failed(Status.MALFORMED, "answered 1048576 bytes; 262144 are taken at most")
    assert revert.status is Status.HELD
    assert revert.reason.startswith("reverted")
    assert silent == Failed(Status.MALFORMED, "number: 0 bytes for one word")
    assert missing == Failed(Status.MISSING, f"no code at {NO_CODE}")
    assert [burner, long_answer, revert, silent, missing] == await solo(reads_chain, asks, reads_chain.at)


async def test_bombs_that_are_known_stay_out_of_the_batch(reads_chain: ReadsChain) -> None:
    calls = [*honest_calls(200), NUMBER(BURNER)]
    reader = Reader(transport(reads_chain), MULTICALL)
    await reader.read(calls, reads_chain.at)
    before = reader.sent
    answers = await reader.read(calls, reads_chain.at)
    assert answers[:-1] == [42] * 200
    assert reader.sent.multicalls - before.multicalls == 1
    assert reader.sent.solo_calls - before.solo_calls == 2


async def test_all_bombs_at_once_leave_every_other_value_as_it_is_alone(reads_chain: ReadsChain) -> None:
    asks: list[Ask] = [*honest_calls(60), *token_reads(reads_chain)]
    for i, bomb in enumerate(BOMBS * 2):
        asks.insert(i * 7, function(f"number{i}()(uint256)")(bomb))
    wire = transport(reads_chain)
    answers = await Reader(wire, MULTICALL).read(asks, reads_chain.at)
    assert answers == await solo(reads_chain, asks, reads_chain.at)
    assert {request.method for request in wire.requests} == {"eth_call", "eth_getCode"}
    assert all(pinned_by_hash(request, reads_chain.at) for request in wire.requests)


class SmallGas(PlainTransport):
    """An endpoint with a low gas cap: an `eth_call` may burn that much and no more."""

    cap = 3_000_000

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        capped = [
            Request(r.method, ({**r.params[0], "gas": hex(self.cap)}, *r.params[1:])) if r.method == "eth_call" else r
            for r in requests
        ]
        return await super().send(capped, avoid=avoid)


async def test_a_batch_beyond_the_gas_cap_is_halved_and_the_size_is_learned(reads_chain: ReadsChain) -> None:
    reader = Reader(SmallGas({"a": reads_chain.net.url}), MULTICALL)
    calls = honest_calls(900)
    assert await reader.read(calls, reads_chain.at) == [42] * 900
    assert reader.sent.bisections > 0
    for _ in range(4):
        await reader.read(calls, reads_chain.at)
    before = reader.sent
    assert await reader.read(calls, reads_chain.at) == [42] * 900
    assert reader.sent.bisections == before.bisections


class IgnoresThePin(PlainTransport):
    """An endpoint `liar` that executes at its latest block, whatever block it is asked at."""

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        honest = await super().send(requests, avoid=avoid)
        if honest.endpoint != "liar":
            return honest
        return await super().send([_at_latest(r) for r in requests], avoid=avoid)


def _at_latest(request: Request) -> Request:
    place = next((i for i, p in enumerate(request.params) if isinstance(p, dict) and "blockHash" in p), None)
    if place is None:
        return request
    return Request(request.method, (*request.params[:place], "latest", *request.params[place + 1 :]))


@pytest.mark.parametrize("multicall", [MULTICALL, None], ids=["multicall", "one by one"])
async def test_an_endpoint_that_answers_from_another_block_is_distrusted_and_another_asked(
    reads_chain: ReadsChain, multicall: Address | None
) -> None:
    url = reads_chain.net.url
    wire = IgnoresThePin({"liar": url, "true": url})
    old = block_ref(reads_chain.net, 2)
    answers = await Reader(wire, multicall, 10**9).read(token_reads(reads_chain)[:3], old)
    assert answers == [1_000, 1_001, 1_002]
    assert {endpoint for endpoint, _ in wire.distrusted} == {"liar"}
    assert f"instead of block {old}" in wire.distrusted[0][1]


@pytest.mark.parametrize("multicall", [MULTICALL, None], ids=["multicall", "one by one"])
async def test_when_every_endpoint_answers_from_another_block_no_value_comes_out(
    reads_chain: ReadsChain, multicall: Address | None
) -> None:
    wire = IgnoresThePin({"liar": reads_chain.net.url})
    with pytest.raises(ChainUnavailable, match="no endpoint proves"):
        await Reader(wire, multicall).read(token_reads(reads_chain), reads_chain.early)


async def test_an_endpoint_of_another_chain_proves_nothing(reads_chain: ReadsChain) -> None:
    wire = PlainTransport({"a": reads_chain.net.url}, chain_id=1)
    with pytest.raises(ChainUnavailable, match="of chain 31337"):
        await Reader(wire, MULTICALL).read(token_reads(reads_chain), reads_chain.at)


class NumbersOnly(PlainTransport):
    """An endpoint that knows no block hashes in `eth_call`."""

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        if any("blockHash" in str(request.params) for request in requests):
            self.requests += requests
            error = EndpointError("block hash not offered", verdict=Verdict.UNSUPPORTED)
            return Replies([error] * len(requests), next(iter(self.urls)))
        return await super().send(requests, avoid=avoid)


async def test_without_block_hashes_it_pins_by_number_and_reads_the_header_again(reads_chain: ReadsChain) -> None:
    wire = NumbersOnly({"a": reads_chain.net.url})
    reader = Reader(wire, MULTICALL)
    for _ in range(2):
        assert await reader.read(token_reads(reads_chain), reads_chain.at) == expected_tokens(reads_chain)
    methods = [request.method for request in wire.requests]
    assert methods == ["eth_call", *["eth_call", "eth_getBlockByNumber"] * 2]
    assert wire.requests[1].params[1] == wire.requests[2].params[0] == hex(reads_chain.at.number)


async def test_a_block_of_another_fork_under_the_same_number_is_a_wrong_fork(reads_chain: ReadsChain) -> None:
    at = reads_chain.at
    sibling = BlockRef(at.number, type(at.hash)("0x" + "12" * 32), at.parent_hash, at.timestamp)
    for wire in (NumbersOnly({"a": reads_chain.net.url}), transport(reads_chain)):
        with pytest.raises(WrongFork):
            await Reader(wire, MULTICALL).read(token_reads(reads_chain), sibling)


class OneAnswer(PlainTransport):
    """An endpoint that fails every request in one way."""

    verdict = Verdict.PRUNED

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        self.requests += requests
        return Replies([EndpointError("no", verdict=self.verdict) for _ in requests], "a")


@pytest.mark.parametrize("verdict", [Verdict.PRUNED, Verdict.RATE, Verdict.QUOTA, Verdict.SERVER])
async def test_what_an_endpoint_cannot_read_at_all_is_said_and_not_searched_for(
    reads_chain: ReadsChain, verdict: Verdict
) -> None:
    wire = OneAnswer({})
    wire.verdict = verdict
    with pytest.raises(EndpointError) as caught:
        await Reader(wire, MULTICALL).read(honest_calls(500), reads_chain.at)
    assert caught.value.verdict is verdict
    assert len(wire.requests) <= 2


async def test_a_call_that_fails_on_one_endpoint_is_asked_of_another_before_it_is_believed(
    reads_chain: ReadsChain,
) -> None:
    class SmallGasOnA(SmallGas):
        cap = 390_000

        async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
            small = "b" not in self.urls or avoid != "a"
            return await (super().send if small else super(SmallGas, self).send)(requests, avoid=avoid)

    url = reads_chain.net.url
    only_a, a_and_b = SmallGasOnA({"a": url}), SmallGasOnA({"a": url, "b": url})
    (alone,) = await Reader(only_a, MULTICALL).read([NUMBER(NEEDS_400K)], reads_chain.at)
    assert alone == Failed(Status.HELD, "reverted without a reason")
    assert await Reader(a_and_b, MULTICALL).read([NUMBER(NEEDS_400K)], reads_chain.at) == [1]


async def test_a_neighbour_that_answers_otherwise_when_gas_is_short_is_asked_again(reads_chain: ReadsChain) -> None:
    asks = [NUMBER(BURNER), NUMBER(TWO_FACED)]
    burner, answer = await Reader(transport(reads_chain), MULTICALL).read(asks, reads_chain.at)
    assert isinstance(burner, Failed)
    assert answer == 1


async def test_on_arbitrum_the_block_is_proven_by_arbsys(reads_chain: ReadsChain) -> None:
    at = reads_chain.at
    shifted = BlockRef(at.number + ARBSYS_SHIFT, at.hash, at.parent_hash, at.timestamp)
    for multicall in (MULTICALL, None):
        wire = transport(reads_chain)
        assert await Reader(wire, multicall, block_number="arbsys").read([NUMBER(HONEST)], shifted) == [42]
        with pytest.raises(ChainUnavailable):
            await Reader(wire, multicall, block_number="arbsys").read([NUMBER(HONEST)], at)
        with pytest.raises(ChainUnavailable):
            await Reader(wire, multicall).read([NUMBER(HONEST)], shifted)


async def test_at_the_first_block_of_a_chain_what_was_not_deployed_is_missing(reads_chain: ReadsChain) -> None:
    genesis = block_ref(reads_chain.net, 0)
    (answer,) = await Reader(transport(reads_chain), MULTICALL, 10**9).read(token_reads(reads_chain)[:1], genesis)
    assert answer == Failed(Status.MISSING, f"no code at {reads_chain.tokens[0]}")


async def test_a_block_that_was_reorganised_away_is_a_wrong_fork_and_the_new_one_reads() -> None:
    with Devnet.start() as net:
        place_multicall3(net)
        net.mine(5)
        old = block_ref(net)
        net.reorg(2)
        new = block_ref(net)
        reader = Reader(PlainTransport({"a": net.url}), MULTICALL)
        ask = [NativeBalance(Address(net.accounts[0].lower()))]
        with pytest.raises(WrongFork):
            await reader.read(ask, old)
        assert await reader.read(ask, new) == [10**24]


async def test_an_offchain_lookup_is_a_revert_like_any_other(reads_chain: ReadsChain) -> None:
    wire = transport(reads_chain)
    answers = await Reader(wire, MULTICALL).read([NUMBER(LOOKUP)], reads_chain.at)
    assert answers == [Failed(Status.HELD, "reverted: OffchainLookup, which is not followed")]
    assert {request.method for request in wire.requests} == {"eth_call"}


async def test_logs_come_from_the_fetcher_beside_the_state(reads_chain: ReadsChain) -> None:
    asked = []

    async def logs(query: LogQuery, at: BlockRef) -> list[Log]:
        asked.append((query, at))
        if not query.addresses:
            raise EndpointError("too many", verdict=Verdict.PRUNED)
        return []

    query = LogQuery((reads_chain.tokens[0],), (), 0, reads_chain.at.number)
    everything = LogQuery((), (), 0, reads_chain.at.number)
    asks = [query, NUMBER(HONEST), everything]
    found, number, failed = await Reader(transport(reads_chain), MULTICALL, logs=logs).read(asks, reads_chain.at)
    assert (found, number) == ([], 42)
    assert isinstance(failed, Failed)
    assert asked == [(query, reads_chain.at), (everything, reads_chain.at)]
