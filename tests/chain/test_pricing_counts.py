"""What pricing costs a block, counted on the wire: each feed once, and a round of calls for each step of a route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from eth_abi import decode

from devnet import Addresses, Devnet, deploy_protocols
from devnet.configuration import configuration
from devnet.proxy import FaultProxy
from indexer.model import Address
from indexer.reads.rounds import Session
from indexer.run.known import Known
from indexer.run.live import open_chain
from indexer.run.program import ChainProgram, load_program
from indexer.run.snapshot import take

pytestmark = pytest.mark.anvil
QUIET = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lambda *_: ""])
LATEST_ROUND_DATA = bytes.fromhex("feaf968c")


@pytest.fixture(scope="module")
def chain() -> Iterator[tuple[Devnet, Addresses]]:
    with Devnet.start() as net:
        yield net, deploy_protocols(net)


def program(addresses: Addresses, url: str, folder: Path, copies: int = 1) -> ChainProgram:
    """Every protocol of the devnet, so many times under other names."""
    text = configuration(addresses, url)
    head, *protocols = text.split("[[protocols]]")
    again = [part.replace('name = "', f'name = "copy{n}-', 1) for n in range(copies) for part in protocols]
    file = folder / f"{copies}.toml"
    file.write_text("[[protocols]]".join([head, *again]))
    return load_program(file).chains["devnet"]


def calls_in(documents: list[dict[str, Any]]) -> Iterator[tuple[Address, bytes]]:
    """The contract calls that requests carry, unpacked from Multicall3's `aggregate3`."""
    for document in documents:
        if document["method"] == "eth_call":
            data = bytes.fromhex(document["params"][0]["data"][2:])
            for target, _, inner in decode(["(address,bool,bytes)[]"], data[4:])[0]:
                yield Address(target), inner


async def sent(chain: tuple[Devnet, Addresses], folder: Path, copies: int) -> tuple[Counter[Any], int]:
    """Every call that a snapshot of all protocols sends, and how many protocols there were."""
    net, addresses = chain
    async with FaultProxy(net.url) as proxy:
        asked = program(addresses, proxy.url, folder, copies)
        async with open_chain(asked, QUIET) as live:
            at = await live.head()
            proxy.asked.clear()
            taken = await take(asked, live.reader, at, asked.deployments, Known())
        return Counter(calls_in(proxy.asked)), len(taken.snapshots)


async def test_each_feed_is_asked_once_a_block_however_many_tokens_and_protocols_use_it(
    chain: tuple[Devnet, Addresses], tmp_path: Path
) -> None:
    feeds = {Address(feed.proxy.lower()) for feed in chain[1].feeds.values()}
    once, few = await sent(chain, tmp_path, copies=1)
    thrice, many = await sent(chain, tmp_path, copies=3)
    assert many == 3 * few
    rounds_read = {call: count for call, count in once.items() if call[1] == LATEST_ROUND_DATA}
    assert len(rounds_read) >= 5
    assert set(rounds_read.values()) == {1}
    assert {target for target, _ in rounds_read} <= feeds
    of_feeds = Counter({call: count for call, count in once.items() if call[0] in feeds})
    assert of_feeds == Counter({call: count for call, count in thrice.items() if call[0] in feeds})
    assert set(of_feeds.values()) == {1}


async def test_pricing_adds_at_most_a_round_of_calls_for_each_step_of_the_longest_route(
    chain: tuple[Devnet, Addresses], tmp_path: Path
) -> None:
    net, addresses = chain
    asked = program(addresses, net.url, tmp_path)
    named = {name: Address(vault.address.lower()) for name, vault in addresses.vaults.items()}
    feeds = [Address(addresses.token(symbol).lower()) for symbol in ("WETH", "WBTC", "USDC", "USDT", "DAI")]
    async with open_chain(asked, QUIET) as live:
        at = await live.head()
        added = [await _rounds(asked, live.reader, at, tokens) for tokens in (feeds, [*feeds, *named.values()])]
    assert added[0] == (1, 1)  # feeds alone: one step, one round
    rounds, depth = added[1]
    assert depth == 3  # a vault of vault shares of a token with a feed
    assert rounds <= depth


async def _rounds(chain: ChainProgram, source: Any, at: Any, tokens: list[Address]) -> tuple[int, int]:
    """Rounds that pricing took in a session of its own, and the steps of the longest route."""
    session = Session(source, at)
    quotes = (await session.run({"prices": chain.router.plan(tokens, at)}))["prices"]
    assert set(quotes) == set(tokens)
    assert all(quote.price is not None for quote in quotes.values())
    return session.stats.rounds, max(quote.route.count(" > ") + 1 for quote in quotes.values())
