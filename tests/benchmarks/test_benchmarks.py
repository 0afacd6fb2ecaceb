"""Each benchmark runs at a tiny size, and asks no more often than promised. No test says how long anything takes."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from eth_abi import decode, encode

from benchmarks import backfill, factory, following, goals, peers, series, series_peer, snapshot, store_rows
from benchmarks.figures import Figure, Sample, table
from benchmarks.goals import Goal
from benchmarks.load import CHAIN_ID, MULTICALL3, Kind, Load, address, place_of, scaled, two_tokens
from benchmarks.replay import Round, replaying_server
from benchmarks.replay_server import AGGREGATE, DEEP_EVERY, HEAD, Node, answer, block
from indexer.chain.base import Replies, Request
from indexer.chain.bloom import bloom_of, leaves_out
from indexer.chain.pool import Pool
from indexer.chain.rpc import Traffic
from indexer.config.secret import Secret
from indexer.model import Status
from indexer.reads.abi import CALL_GAS, interface
from indexer.reads.batch import Reader
from indexer.reads.ledger.audit import audit
from indexer.reads.multicall import BATCHES_AT_ONCE
from indexer.reads.plan import Call
from indexer.reads.sizes import START_GAS
from indexer.run.known import Known

TINY = Load(pairs=6, pools=4, vaults=3, feeds=3)


def requests_promised(rounds: tuple[Round, ...]) -> int:
    """One a batch, in each round; no batch has more calls than the gas that any node gives them."""
    return sum(-(-len(one.asks) * CALL_GAS // START_GAS) for one in rounds)


async def test_a_steady_snapshot_takes_two_rounds_and_only_full_requests() -> None:
    measured = await snapshot.steady(TINY, 1, warm_up=2)
    assert measured.reads == 6 + 2 * 6 + 2 * 4 + 2 * 3 + 2 * 3
    assert len(measured.rounds) == 2
    assert measured.http_requests == requests_promised(measured.rounds) == 2
    assert set(measured.stages) == set(snapshot.STAGES)


async def test_a_round_of_many_reads_takes_as_many_requests_as_it_has_full_batches() -> None:
    measured = await snapshot.steady(Load(pairs=400, pools=1, vaults=1, feeds=1), 1, warm_up=1)
    assert measured.http_requests == requests_promised(measured.rounds) == 3


async def test_a_first_snapshot_also_finds_tokens_in_full_requests() -> None:
    measured = await snapshot.first(TINY, 1)
    assert len(measured.rounds) == 3
    assert measured.http_requests == requests_promised(measured.rounds) == 3


async def test_the_measured_snapshot_holds_what_the_load_has(tmp_path: Path) -> None:
    async with replaying_server() as url, snapshot.world(TINY, url, tmp_path) as of:
        taken = await snapshot.committed(of, block(500), Known())
        stored = {d.key: await of.store.snapshot(d.key) for d in of.chain.deployments}
    lines = {one.deployment: len(one.lines) for one in taken.snapshots}
    assert lines == {"reserves@replayed": 12, "balances@replayed": 12, "pools@replayed": 8, "vaults@replayed": 3}
    assert {one.status for one in taken.snapshots} == {Status.OK}
    assert all(kept is not None and kept.totals for kept in stored.values())


async def test_a_backfill_takes_a_header_and_a_snapshot_a_block() -> None:
    filled = await backfill.replayed("tiny", TINY, 4)
    assert filled.blocks == 4
    assert filled.http_requests == 4 * (1 + 2) + 1, "in the first block the tokens are found: one round more"
    assert filled.figure().ratio > 0


@pytest.mark.anvil
@pytest.mark.slow
async def test_a_backfill_of_a_real_local_chain_is_measured() -> None:
    filled = await backfill.on_anvil(3)
    assert filled.blocks == 3
    assert filled.reads > 100


def test_rows_are_counted_as_they_change() -> None:
    figure = store_rows.measure(positions=20, snapshots=3, changing=0.5)
    assert figure.note.startswith("40 rows in 3 commits of 20 holdings")


def test_a_block_of_many_deployments_is_measured_with_the_size_that_it_leaves() -> None:
    figure = store_rows.measure_following(deployments=3, blocks=2)
    assert figure.note.endswith("MB after 2 blocks")
    assert figure.value > 0


async def test_a_block_in_which_one_deployment_changed_costs_a_snapshot_of_one(tmp_path: Path) -> None:
    await store_rows.following(tmp_path / "store.db", deployments=5, blocks=4)
    with sqlite3.connect(tmp_path / "store.db") as database:
        rows = database.execute("SELECT number, count(*) FROM snapshot GROUP BY number ORDER BY number").fetchall()
        assert rows == [(1, 5), (2, 1), (3, 1), (4, 1), (5, 1)]
        assert database.execute("SELECT count(*) FROM point").fetchone() == (5,)


def test_a_ratio_says_how_many_times_the_floors_effort_it_is() -> None:
    assert Figure("time", "ms", value=30.0, floor=10.0).ratio == 3
    assert Figure("rate", "rows/s", value=10.0, floor=30.0, more_is_better=True).ratio == 3
    assert table([Figure("time", "ms", value=3_000.0, floor=10.0)]).endswith("| time | ms | 10.0 | 3,000 | 300.0 |  |")


def test_an_address_says_what_stands_at_it() -> None:
    assert place_of(bytes.fromhex(address(Kind.POOL, 70_000)[2:])) == (Kind.POOL, 70_000)
    assert all(len(set(two_tokens(Kind.PAIR, i))) == 2 for i in range(2_000))


async def test_a_factory_is_found_in_parts_judged_once_and_then_read_above_its_floor() -> None:
    found, judged, steady = await factory.measure(600, 1)
    assert [found.name, judged.name] == ["factory: discovery of 600 pairs", "factory: + verdict, first snapshot"]
    assert "pools below the floor of $1,000" in judged.note
    assert f", {2 * 600 // DEEP_EVERY} holdings" in steady.note


async def test_a_factory_without_a_floor_is_found_and_read_at_once() -> None:
    first, steady = await factory.measure(60, 1, every_pair=True)
    assert first.name == "factory: first snapshot of 60 pairs"
    assert steady.value > 0


async def test_a_series_by_logs_takes_few_calls_whatever_the_number_of_blocks() -> None:
    few, many = [await series.series(13, blocks, repeat=1) for blocks in (20, 200)]
    assert few.values == many.values > 40
    assert few.calls == many.calls <= 5


@pytest.mark.parametrize("contracts", [13, 520])
async def test_following_takes_one_request_a_block_and_no_long_filter(contracts: int) -> None:
    followed = await following.following(contracts, 4, foreign=40)
    assert (followed.requests, len(followed.cpu_ms)) == (1, 4)
    assert followed.traffic.bytes_sent < 4 * 10_000
    assert followed.figure().ratio > 0


async def test_the_filter_of_a_replayed_block_is_made_of_its_logs() -> None:
    node = Node(TINY, foreign=80)
    header, logs = (
        node.reply({"id": 1, "method": method, "params": [params]})["result"]
        for method, params in (("eth_getBlockByNumber", "0x3e8"), ("eth_getLogs", {"blockHash": block(1_000).hash}))
    )
    assert len(logs) >= 80
    assert not leaves_out(bloom_of(header), logs)
    assert leaves_out(bloom_of(header), logs[:-1])


async def test_the_replayed_logs_lead_to_the_replayed_answers(tmp_path: Path) -> None:
    async with replaying_server(contracts=13) as url, series.world(scaled(13), url, tmp_path) as of:
        for start in range(0, 230, 46):
            await of.ledger.follow([block(1_002 + start + i) for i in range(46)])
        assert await audit(of.ledger, [t.key for t in of.ledger.book.tracks.values()], block(1_231)) == []
        assert sum(len(track.numbers) > 2 for track in of.ledger.book.tracks.values()) > 20


def test_the_server_answers_the_older_aggregate_of_the_peer_as_its_contracts_do() -> None:
    asked = [
        (bytes.fromhex(one[2:]), interface("solidly_pool").getReserves.selector) for one in TINY.addresses(Kind.PAIR)
    ]
    data = AGGREGATE + encode(["(address,bytes)[]"], [asked]).hex()
    call = {"id": 1, "method": "eth_call", "params": [{"data": data}, hex(HEAD)]}
    number, outputs = decode(["uint256", "bytes[]"], bytes.fromhex(Node().reply(call)["result"][2:]))
    assert number == HEAD
    assert list(outputs) == [answer(*one, HEAD) for one in asked]


async def test_a_peer_that_fails_is_told_and_never_measured() -> None:
    with pytest.raises(RuntimeError, match="the peer failed"):
        await peers.compare(TINY, 1, (sys.executable, "-c", "raise SystemExit(3)"), warm_up=1)


async def test_a_peer_that_reads_other_numbers_is_never_measured() -> None:
    other = 'print(\'{"taken": [1, 1], "sum": "7"}\')'
    with pytest.raises(ValueError, match="other numbers"):
        await peers.compare(TINY, 1, (sys.executable, "-c", other), warm_up=1)


async def test_a_series_is_compared_with_a_peer_at_a_sample_of_its_blocks(tmp_path: Path) -> None:
    peer = tmp_path / "peer.py"
    peer.write_text(PEER)
    with pytest.raises(ValueError, match="other numbers"):
        await series_peer.compare(13, 40, 4, (sys.executable, str(peer)))
    compared = await series_peer.compare(13, 40, 4, (sys.executable, str(peer), *await honest_sums(13, 40, 4)))
    assert compared.reads > 30
    assert compared.peer == Sample(12, 4)
    assert compared.peer_everywhere == Sample(120, 40), "ten times as many blocks"
    assert any("extrapolated" in figure.name for figure in compared.figures())
    told = goals.of_series(compared)
    assert [goal.wanted for goal in told] == [3, 60, 150, 20]
    assert told[1].reached, "RPC calls"
    assert 50 < compared.ours.opened_mb <= compared.ours.peak_mb


PEER = """
import json, sys
sys.stdin.readline()
sums = iter(sys.argv[1:-2])
for block in sys.stdin:
    print(json.dumps({"taken": [3, 1], "sum": next(sums, "7")}), flush=True)
"""


async def honest_sums(contracts: int, blocks: int, samples: int) -> list[str]:
    """What one finds who reads the server's state and folds nothing."""
    numbers = range(series.FIRST_FOLDED, series.FIRST_FOLDED + blocks)
    async with replaying_server(contracts=contracts) as url:
        calls, _ = await series_peer.known(url, contracts, numbers, numbers[:1])
    return [str(sum(total_of(call, number) for call in calls)) for number in numbers[:: blocks // samples]]


def total_of(call: Call, number: int) -> int:
    said = answer(bytes.fromhex(call.target[2:]), call.data, number)
    return sum(int.from_bytes(said[i : i + 32], "big") for i in range(0, len(said), 32))


def test_following_is_judged_at_the_load_alone_and_told_beside_the_logs_of_others() -> None:
    goal = goals.of_following(followed([1.9], [0.7]), followed([3.0], [1.3]))
    assert goal.reached
    assert "3.0 ms, 2.3x its floor" in goal.line()


def test_following_is_told_of_the_quickest_round_and_of_all() -> None:
    slow, quick = following.ROUND * [3.0], following.ROUND * [1.5]
    figure = followed([*slow, *quick, *slow], [1.0 for _ in slow] + [0.5 for _ in quick]).figure()
    assert (figure.value, figure.floor) == (1.5, 0.5)
    assert "over all 2.5 of 0.8, p99 3.0" in figure.note


def followed(cpu_ms: list[float], floor_ms: list[float]) -> following.Followed:
    return following.Followed(cpu_ms, floor_ms, 7, Traffic())


def test_a_goal_says_whether_it_is_reached() -> None:
    assert Goal("at most", 2, 2.0, "x").reached
    assert not Goal("at most", 2, 2.1, "x").reached
    assert Goal("at least", 20, 99.0, "x", at_least=True).line() == "| at least | at least 20x | 99.0x | yes |"
    assert Goal("memory", 150, 151, " MB").line().endswith("| **no** |")


async def test_of_a_very_large_set_of_calls_only_a_few_batches_are_on_their_way_at_once() -> None:
    token = address(Kind.TOKEN, 0)
    asks = [interface("erc20").balanceOf(token, pair) for pair in Load(pairs=7_000).addresses(Kind.PAIR)]
    async with replaying_server() as url, Pool("replayed", CHAIN_ID, [Secret(url)]) as pool:
        counting = Counting(pool)
        read = await Reader(counting, MULTICALL3, 1).read(asks, block(500))
    assert counting.sent == 7
    assert counting.most == BATCHES_AT_ONCE
    assert read == [int.from_bytes(answer(bytes.fromhex(token[2:]), ask.data, 500), "big") for ask in asks]


class Counting:
    """A pool's batches: how many there were, and how many at once."""

    def __init__(self, pool: Pool) -> None:
        self.name, self.chain_id, self._pool = pool.name, pool.chain_id, pool
        self.sent = self.now = self.most = 0

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        self.sent, self.now = self.sent + 1, self.now + 1
        self.most = max(self.most, self.now)
        try:
            return await self._pool.send(requests, avoid=avoid)
        finally:
            self.now -= 1

    def distrust(self, endpoint: str, reason: str) -> None:
        self._pool.distrust(endpoint, reason)
