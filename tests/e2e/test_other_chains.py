"""A token of one chain priced on another: the same rows by daemon and by backfill, and never before they are final."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devnet import Addresses, Devnet, deploy_protocols
from devnet.configuration import FINALITY_DEPTH, configuration
from devnet.protocols import chainlink
from indexer.errors import ChainUnavailable, ConfigError
from indexer.model import Status
from indexer.run.program import load_program
from indexer.store import open_store
from indexer.units import from_price
from tests.e2e.support import (
    Setting,
    backfill_all,
    block_hash,
    digests,
    following,
    index_each,
    index_until_head,
    reached,
    tvl,
)

pytestmark = [pytest.mark.anvil, pytest.mark.slow]
LAG_S = 30


@dataclass(frozen=True, slots=True)
class Two:
    """The devnet that borrows, and the origin that lends it the price of USDC."""

    here: Setting
    origin: Devnet
    there: Addresses

    def configure(self, name: str, route: str = "") -> Path:
        loan = route or f'{{ kind = "remote", chain = "origin", token = "USDC", lag_s = {LAG_S} }}'

        def borrow(text: str) -> str:
            own = '{ kind = "chainlink", feed = "USDC/USD" }'
            assert text.count(own) == 1
            prices, protocols = text.replace(own, loan).split("[[protocols]]", 1)
            lender = configuration(self.there, self.origin.url).replace("devnet", "origin")
            lender = lender.partition("[chains.origin]")[2].partition("[[protocols]]")[0]
            return f"{prices}\n[chains.origin]{lender}\n[[protocols]]{protocols}"

        return self.here.configure(name, change=borrow)

    def usdc(self, cents: int, at: int) -> None:
        """A new price at the origin, in a block at that time."""
        chainlink.set_price(self.origin, self.there.feeds["USDC/USD"], cents * 10**6)
        self.origin.mine_at(at)

    def finalise(self, after: int) -> None:
        """Enough blocks at the origin that one after that time is final."""
        self.origin.mine_at(max(after, self.origin.timestamp()) + 1)
        self.origin.mine(FINALITY_DEPTH, dt=1)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with Devnet.start() as net, Devnet.start(chain_id=31_338) as origin:
        yield Two(Setting(net, deploy_protocols(net), tmp_path), origin, deploy_protocols(origin))


def play(two: Two) -> list[int]:
    """Three prices at the origin, all final; and the times of blocks of ours before and after each."""
    start = max(two.here.net.timestamp(), two.origin.timestamp()) + 100
    for i, cents in enumerate((100, 87, 95)):
        two.usdc(cents, start + 100 * i)
    two.finalise(start + 300)
    return [start + LAG_S + seconds for seconds in (0, 99, 100, 150, 200, 299)]


async def test_a_borrowed_price_is_that_of_the_last_block_there_a_little_earlier(two: Two) -> None:
    times, first = play(two), two.here.net.block_number() + 1
    for time in times:
        two.here.net.mine_at(time)
    config = two.configure("rows.toml")
    await index_each(config, range(first, first + len(times)))
    token = two.here.addresses.token("USDC").lower()
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store:
        rows = [await store.snapshot("aave-v3@devnet", number) for number in range(first, first + len(times))]
    quotes = [row.quotes[token] for row in rows if row]
    assert [float(from_price(quote.price or 0)) for quote in quotes] == [1, 1, 0.87, 0.87, 0.95, 0.95]
    assert {(str(quote.grade), quote.route) for quote in quotes} == {("B", "remote:origin")}
    taken = [quote.steps[0] for quote in quotes]
    assert [time - step.updated_at for time, step in zip(times, taken, strict=True)] == [30, 129, 30, 80, 30, 129]
    assert [quote.age_s(row.at) for quote, row in zip(quotes, rows, strict=True) if row] == [30, 129, 30, 80, 30, 129]
    assert all(two.origin.block(step.round)["timestamp"] == hex(step.updated_at) for step in taken)


async def test_daemon_and_backfill_borrow_the_same_prices(two: Two) -> None:
    times, first = play(two), two.here.net.block_number() + 1
    followed, filled = two.configure("followed.toml"), two.configure("filled.toml")
    for time in times:
        two.here.net.mine_at(time)
        await index_until_head(followed, two.here.net)
    two.here.net.mine(FINALITY_DEPTH + 1, dt=1)
    two.usdc(50, two.origin.timestamp() + 1_000)
    two.finalise(two.here.net.timestamp() + 1_000)
    last = first + len(times) - 1
    await backfill_all(filled, first, last)
    async with open_store(f"sqlite:///{filled.with_suffix('.db')}") as store:
        assert len(await store.series("aave-v3@devnet", first, last)) == len(times)
    assert await digests(filled, first, last) == await digests(followed, first, last)


async def test_a_price_that_is_not_final_there_is_waited_for_and_nothing_is_stored(two: Two) -> None:
    config = two.configure("early.toml")
    two.here.net.mine_at(two.origin.timestamp() + LAG_S + 5)
    number = two.here.net.block_number()
    with pytest.raises(ChainUnavailable, match=r"origin lends a price: .* not final yet"):
        await index_each(config, [number])
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store:
        assert await store.series("aave-v3@devnet") == []
    told = tvl(config, "price", "USDC", "--chain", "devnet")
    assert (told.returncode, told.stdout) == (3, "")
    assert "lag_s" in told.stderr
    two.finalise(two.here.net.timestamp())
    await index_each(config, [number])
    explained = json.loads(tvl(config, "price", "USDC", "--chain", "devnet", "--json").stdout)
    assert explained["quote"]["usd"] == "1"
    sources = [step["source"] for step in explained["quote"]["steps"]]
    assert sources == ["remote:origin", "remote:origin:chainlink"]


async def test_a_daemon_that_waits_for_the_other_chain_goes_on_by_itself(two: Two) -> None:
    config, net = two.configure("waiting.toml"), two.here.net
    net.mine_at(two.origin.timestamp() + LAG_S + 5)
    program = load_program(config)
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store, following(program, store):
        await asyncio.sleep(2)
        assert (await store.chain_state("devnet")).head is None
        two.finalise(net.timestamp())
        await reached(store, net.block_number(), block_hash(net))
        assert [point.status for point in await store.series("aave-v3@devnet")] == [Status.OK]


async def test_a_price_that_is_held_there_is_held_here_with_its_reason(two: Two) -> None:
    start = max(two.here.net.timestamp(), two.origin.timestamp()) + 100
    two.usdc(0, start)
    two.here.net.mine_at(start + LAG_S)
    two.finalise(start + LAG_S)
    told = json.loads(tvl(two.configure("held.toml"), "price", "USDC", "--chain", "devnet", "--json").stdout)
    assert told["quote"]["usd"] is None
    assert "held on origin at block" in told["quote"]["reason"]
    assert "positive: answer 0 is no price" in told["quote"]["reason"]


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ('{ kind = "remote", chain = "nowhere", token = "0x' + "12" * 20 + '" }', "there is no [chains.nowhere]"),
        ('{ kind = "remote", chain = "origin", token = "0x' + "12" * 20 + '" }', "has no route on origin"),
        ('{ kind = "remote", chain = "devnet", token = "USDC" }', "price each other in a circle: 0x"),
        ('{ kind = "remote", chain = "origin", token = "USDCC" }', "not an address"),
    ],
)
def test_a_price_that_nobody_can_lend_is_refused_at_load(two: Two, route: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_program(two.configure("broken.toml", route))
    assert said in str(error.value)


async def test_before_the_other_chain_began_the_next_route_answers(two: Two) -> None:
    two.finalise(two.here.net.timestamp())
    early = '{ kind = "remote", chain = "origin", token = "USDC", lag_s = 86400 }, { kind = "fixed", price = "1" }'
    told = json.loads(tvl(two.configure("dawn.toml", early), "price", "USDC", "--chain", "devnet", "--json").stdout)
    assert (told["quote"]["usd"], told["quote"]["grade"]) == ("1", "D")
    assert told["tokens"][0]["routes"][0]["outcome"] == "absent"
    assert told["tokens"][0]["routes"][0]["reason"] == "origin had no block yet"


async def test_a_lender_without_the_state_holds_the_price_and_says_so(tmp_path: Path) -> None:
    with Devnet.start() as net, Devnet.start(chain_id=31_338, history=5) as origin:
        two = Two(Setting(net, deploy_protocols(net), tmp_path), origin, deploy_protocols(origin))
        at = max(net.timestamp(), origin.timestamp()) + LAG_S
        net.mine_at(at)
        two.finalise(at + 100)
        told = json.loads(tvl(two.configure("pruned.toml"), "price", "USDC", "--chain", "devnet", "--json").stdout)
        assert told["quote"]["status"] == "held"
        assert "no endpoint of origin has the state of its block" in told["quote"]["reason"]
