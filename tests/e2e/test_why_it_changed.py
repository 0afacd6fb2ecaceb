"""Real contracts, one event a block, and why the value changed as worked out by hand beside each.

Dollars are whole unless said otherwise. The escrow holds 50 ether, 150 WETH, 750,000 USDC, 12 WBTC and 40,000 LINK;
ether stands at 2,000, LINK at 15. The lockers hold shares of vaults and pools.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from devnet import Devnet, deploy_protocols
from devnet.configuration import FINALITY_DEPTH
from devnet.desk import Desk
from devnet.protocols.chainlink import answer_of_cents
from indexer.model import Address, BlockRef, Bucket, Hash, Status
from indexer.run.changes import Explained, Stretch, explain, whole
from indexer.store.base import Commit, Covered, Gross, Place, Store
from indexer.units import USD_DECIMALS
from indexer.valuation.attribution import LOGS
from indexer.valuation.parts import Parts
from indexer.valuation.rollup import DAY_S, level_at, median, span_of
from tests.e2e.support import Setting, backfill_all, index_each, only, tvl

pytestmark = pytest.mark.anvil

USD = 10**USD_DECIMALS
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
MIDNIGHT = 1_700_006_400  # 2023-11-15T00:00:00Z, 1 h 47 min after the chain's first block
ESCROW, LOCKERS, DEX, LENDING = "escrow@devnet", "lockers@devnet", "uniswap-v2@devnet", "aave-v3@devnet"


@dataclass(frozen=True, slots=True)
class Played:
    """A chain on which everything has happened, its store, and the block in which each event did."""

    setting: Setting
    config: Path
    blocks: dict[str, int]

    def store(self) -> Store:
        return self.setting.store(self.config)

    async def at(self, store: Store, key: str, event: str, before: int = 0) -> BlockRef:
        """The block of an event, or so many before it."""
        found = await store.last_read(key, block=self.blocks[event] - before)
        assert found is not None
        return found

    async def why(self, key: str, event: str, until: str | None = None) -> Explained:
        """What changed from the block before an event to it, or until a later one."""
        async with self.store() as store:
            stretch = Stretch(await self.at(store, key, event, 1), await self.at(store, key, until or event))
            made = await explain(store, await _row(store, key), stretch)
        assert made is not None
        return made

    async def parts(
        self, key: str, event: str, until: str | None = None, bucket: Bucket = Bucket.BASE
    ) -> dict[str, Fraction]:
        """The parts that are not nothing, in dollars; they add up to the change of the stored totals."""
        made = whole([await self.why(key, event, until)], bucket)
        assert made.parts.change == made.closing - made.opening
        return told(made.parts)


def told(parts: Parts) -> dict[str, Fraction]:
    names = ("flow", "price", "yielded", "debt", "scope", "method", "residual")
    return {name: Fraction(getattr(parts, name), USD) for name in names if getattr(parts, name)}


async def _row(store: Store, key: str):  # type: ignore[no-untyped-def]
    return next(row for row in await store.deployments() if row.key == key)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Every event is one block; all of them are read and stored afterwards."""
    with Devnet.start() as net:
        setting = Setting(net, deploy_protocols(net), tmp_path_factory.mktemp("why"))
        first = net.block_number()
        blocks = dict(_play(net, Desk(net, setting.addresses)))
        net.mine(FINALITY_DEPTH)
        config = setting.configure()
        asyncio.run(_index(setting, config, first, net.block_number()))
        yield Played(setting, config, blocks)


def _play(net: Devnet, desk: Desk) -> Iterator[tuple[str, int]]:
    for name, act in _EVENTS:
        act(desk)
        net.mine()
        yield name, net.block_number()
    for name, seconds, act in _NIGHT:
        act(desk)
        net.mine_at(MIDNIGHT + seconds)
        yield name, net.block_number()


async def _index(setting: Setting, config: Path, first: int, last: int) -> None:
    """Every block, and of the escrow's USDC every transfer, as the chain's logs tell."""
    await index_each(config, range(first, last + 1))
    places: list[Place] = [(Address(setting.addresses.token("USDC")), Address(setting.addresses.escrow), Bucket.BASE)]
    async with setting.store(config) as store:
        flows = {ESCROW: [flow for place in places for flow in _transfers(setting.net, place, first + 1, last)]}
        covered = {ESCROW: [Covered(first + 1, last, frozenset(places))]}
        await store.commit(Commit("devnet", flows=flows, covered=covered))


def _transfers(net: Devnet, place: Place, first: int, last: int) -> Iterator[tuple[BlockRef, Gross]]:
    """What the Transfer logs of each block brought and took."""
    token, owner, _ = place
    word = "0x" + owner[2:].rjust(64, "0")
    for number in range(first, last + 1):
        query = {"address": token, "fromBlock": hex(number), "toBlock": hex(number), "topics": [TRANSFER]}
        logs = net.rpc("eth_getLogs", query)
        came = sum(int(log["data"], 16) for log in logs if log["topics"][2] == word)
        went = sum(int(log["data"], 16) for log in logs if log["topics"][1] == word)
        if came or went:
            found = net.block(number)
            parent, timestamp = Hash(found["parentHash"]), int(found["timestamp"], 16)
            yield BlockRef(number, Hash(found["hash"]), parent, timestamp), {place: (came, went)}


def _give(symbol: str, whole_tokens: int) -> Callable[[Desk], None]:
    def act(desk: Desk) -> None:
        user, amount = desk.addresses.users[0], desk.addresses.amount(symbol, whole_tokens)
        token = desk.provide(user, symbol, amount)
        desk.net.send(token, "transfer(address,uint256)", desk.addresses.escrow, amount, sender=user)

    return act


def _take(symbol: str, whole_tokens: int) -> Callable[[Desk], None]:
    def act(desk: Desk) -> None:
        desk.release(symbol, desk.addresses.users[0], desk.addresses.amount(symbol, whole_tokens))

    return act


def _flash(desk: Desk) -> None:
    _give("USDC", 40_000_000)(desk)
    _take("USDC", 40_000_000)(desk)


def _price(feed: str, cents: int) -> Callable[[Desk], None]:
    return lambda desk: desk.set_price(feed, answer_of_cents(cents))


def _earn(desk: Desk) -> None:
    desk.earn("vUSDC", desk.addresses.amount("USDC", 25_000))


def _pump(desk: Desk) -> None:
    desk.swap_v2(desk.addresses.users[2], "WETH", "SCAM", desk.addresses.amount("WETH", 20))


def _new_pair(desk: Desk) -> None:
    amounts = {"LINK": desk.addresses.amount("LINK", 20_000), "USDC": desk.addresses.amount("USDC", 300_000)}
    desk.create_pair_v2(desk.addresses.users[3], amounts)


def _supply(desk: Desk) -> None:
    desk.supply(desk.addresses.users[0], "WETH", desk.addresses.amount("WETH", 800))


def _borrow(desk: Desk) -> None:
    desk.borrow(desk.addresses.users[0], "USDC", desk.addresses.amount("USDC", 300_000))


def _nothing(_: Desk) -> None:
    pass


_EVENTS: list[tuple[str, Callable[[Desk], None]]] = [
    ("quiet", _nothing),
    ("ether doubles", _price("ETH/USD", 4_000_00)),
    ("a deposit", _give("USDC", 1_000)),
    ("the vault earns", _earn),
    ("a flash deposit", _flash),
    ("an own token is pumped", _pump),
    ("tether comes", _give("USDT", 10_000)),
    ("tether loses its peg", _price("USDT/USD", 87)),
    ("link loses its price", _price("LINK/USD", 0)),
    ("link comes without a price", _give("LINK", 1_000)),
    ("link has a price again", _price("LINK/USD", 16_00)),
    ("a new pair", _new_pair),
    ("collateral comes", _supply),
    ("a loan", _borrow),
]
_NIGHT: list[tuple[str, int, Callable[[Desk], None]]] = [
    ("23:00", -3_600, _nothing),
    ("23:59", -60, _give("USDC", 9_000_000)),
    ("00:00", 0, _nothing),
    ("00:01", 60, _take("USDC", 9_000_000)),
    ("01:00", 3_600, _nothing),
]


async def test_the_price_doubles_and_nobody_moves(played: Played) -> None:
    """200 ether and WETH x 2,000 more: 400,000. No unit moved."""
    assert await played.parts(ESCROW, "ether doubles") == {"price": 400_000}


async def test_a_deposit_at_a_flat_price_is_flow_alone(played: Played) -> None:
    assert await played.parts(ESCROW, "a deposit") == {"flow": 1_000}


async def test_what_a_vault_earns_is_yield_to_those_who_hold_its_shares(played: Played) -> None:
    """5 x 1,000,000 shares at 1 USDC, 25,000 come: a share converts to 1.004999 (six decimals, rounded down).

    The users hold 3,750,000 shares themselves and 1,250,000 through the vault of shares: 5,000,000 x 0.004999.
    """
    assert await played.parts(LOCKERS, "the vault earns") == {"yielded": 24_995}


async def test_a_flash_deposit_is_gross_flow_and_moves_neither_value_nor_mean(played: Played) -> None:
    """40 m in and out within one block: the escrow's 750,000 + 1,000 USDC never show it."""
    made = await played.why(ESCROW, "a flash deposit")
    parts = whole([made]).parts
    assert (parts.gross_in, parts.gross_out) == (40_000_000 * USD, 40_000_000 * USD)
    assert told(parts) == {}
    usdc = next(change for change in made.changes if change.token.symbol == "USDC")
    assert usdc.basis == LOGS
    async with played.store() as store:
        start, end = made.opening.at.timestamp if made.opening else 0, made.closing.at.timestamp
        levels = await store.levels(ESCROW, start, end + 12)
        before, after = level_at(levels, start), span_of(levels, start, end).span
    assert before is not None
    assert after is not None
    assert after.mean == after.high == after.low == before.usd


async def test_an_own_token_without_a_price_of_its_own_adds_nothing_when_it_is_pumped(played: Played) -> None:
    """20 WETH at 4,000 go into the pair: 80,000 are flow. What the SCAM in it would now be worth is in no total."""
    made = await played.why(DEX, "an own token is pumped")
    assert told(whole([made]).parts) == {"flow": 80_000}
    scam = next(change for change in made.changes if change.token.symbol == "SCAM")
    assert (scam.opening, scam.closing, told(scam.parts)) == (0, 0, {})


async def test_a_depeg_is_followed_as_price(played: Played) -> None:
    """10,000 USDT x 0.13."""
    assert await played.parts(ESCROW, "tether loses its peg") == {"price": -1_300}
    made = await played.why(ESCROW, "tether loses its peg")
    assert made.closing.status is Status.OK


async def test_a_token_that_lost_its_price_is_scope_and_what_comes_meanwhile_is_flow(played: Played) -> None:
    """40,000 LINK x 15 leave the total. 1,000 LINK come at the last known 15, unseen by the total: 15,000 and -15,000.

    At 16 all is there again: over the whole time 15,000 of flow, and 41,000 LINK x 1 of price. Scope is nothing.
    """
    assert await played.parts(ESCROW, "link loses its price") == {"scope": -600_000}
    assert await played.parts(ESCROW, "link comes without a price") == {"flow": 15_000, "scope": -15_000}
    assert await played.parts(ESCROW, "link has a price again") == {"price": 41_000, "scope": 615_000}
    over_all = await played.parts(ESCROW, "link loses its price", "link has a price again")
    assert over_all == {"flow": 15_000, "price": 41_000}


async def test_what_comes_with_a_new_pair_is_flow_and_not_scope(played: Played) -> None:
    """20,000 LINK x 16 and 300,000 USDC, in a pair that its factory made in this block."""
    assert await played.parts(DEX, "a new pair") == {"flow": 620_000}


async def test_a_loan_flows_out_of_what_is_there_and_is_debt_in_what_is_owed(played: Played) -> None:
    """800 WETH x 4,000 come as collateral. Then 300,000 USDC leave, and as much more is owed, with interest."""
    assert await played.parts(LENDING, "collateral comes") == {"flow": 3_200_000}
    assert await played.parts(LENDING, "a loan") == {"flow": -300_000}
    owed = await played.parts(LENDING, "a loan", bucket=Bucket.BORROWED)
    assert set(owed) == {"debt"}
    assert 300_000 <= owed["debt"] < 300_010


async def test_a_locker_at_midnight_moves_the_snapshot_but_not_the_median_and_hardly_the_mean(played: Played) -> None:
    """9 m in at 23:59 and out at 00:01. They stood for 60 of the day's seconds before midnight: 9 m x 60 / 86,400."""
    assert await played.parts(ESCROW, "23:59", "01:00") == {}
    async with played.store() as store:
        eleven = await played.at(store, ESCROW, "23:00")
        levels = await store.levels(ESCROW, MIDNIGHT - DAY_S, MIDNIGHT + 3_600)
    honest, midnight = level_at(levels, eleven.timestamp), level_at(levels, MIDNIGHT)
    assert honest is not None
    assert honest.usd is not None
    assert midnight is not None
    assert midnight.usd == honest.usd + 9_000_000 * USD
    assert median(levels, MIDNIGHT) == honest.usd
    assert median(levels, MIDNIGHT + 3_600) == honest.usd
    hour = span_of(levels, MIDNIGHT - 3_600, MIDNIGHT).span
    assert hour is not None
    assert hour.mean == honest.usd + 9_000_000 * USD * 60 // 3_600


async def test_the_programs_own_ledger_explains_the_same(played: Played) -> None:
    """Filled by logs instead of reads, the flows come with the snapshots: 40 m in and out within a block are there.

    In no block did units and prices move together, so it is the same to the last unit how the units are known.
    """
    config = played.setting.configure("by_logs.toml", change=partial(only, names=["escrow"]))
    await backfill_all(config, played.setting.addresses.ready_block)
    by_logs = replace(played, config=config)
    flash = await by_logs.why(ESCROW, "a flash deposit")
    assert whole([flash]).parts.gross_in == 40_000_000 * USD
    for event in played.blocks:
        made, read = await by_logs.why(ESCROW, event), await played.why(ESCROW, event)
        assert whole([made]).parts == whole([read]).parts, event
        assert {change.basis for change in made.changes} <= {LOGS, ""}, event


async def test_flow_is_additive_over_adjoining_intervals(played: Played) -> None:
    """Every block by itself, and all of them at once."""
    events = list(played.blocks)
    single = [whole([await played.why(ESCROW, event)]).parts for event in events]
    together = whole([await played.why(ESCROW, events[0], events[-1])]).parts
    assert sum(single, Parts()) == together


async def test_the_command_shows_parts_that_add_up_to_the_last_digit(played: Played) -> None:
    """As a user sees them: of one protocol, and of all of them."""
    for verb in (["show", "escrow", "--explain", "--from", str(played.blocks["quiet"])], ["flows"]):
        done = tvl(played.config, *verb, "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        base = found["buckets"]["base"] if "buckets" in found else found["whole"]
        parts = sum(Fraction(usd) for usd in base["parts"].values())
        assert parts == Fraction(base["closing"]) - Fraction(base["opening"])
        assert Fraction(base["gross_in"]) - Fraction(base["gross_out"]) == Fraction(base["parts"]["flow"])
    shares = json.loads(tvl(played.config, "share", "--json").stdout)["protocols"]
    assert abs(sum(Fraction(one["share"]) for one in shares) - 1) < Fraction(1, 10**15)
