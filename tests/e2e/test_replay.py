"""Real mainnet blocks, mined again from their transactions: followed by logs and by reads, stored, and compared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from devnet import Anvil
from devnet.proxy import FaultProxy
from devnet.replay import Replay
from indexer.model import BlockRef
from indexer.reads.abi import function
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.plan import Call
from indexer.reads.source import CallKey
from indexer.run.known import Known
from indexer.run.live import open_chain
from indexer.run.program import load_program
from indexer.run.snapshot import take
from indexer.store import open_store
from indexer.store.base import Store
from tests.e2e.support import QUIET, digests, following, index_each, reached

pytestmark = pytest.mark.anvil

FOLDER = Path(__file__).parents[1] / "data" / "mainnet"
BEFORE, AFTER = 6, 4
"""Empty blocks around the real one: in the first logs earn their trust, in the last they are believed again."""
KNOWN = 130
"""Blocks below them, which a follower remembers."""
FEE_ON_TRANSFER = {
    "0x8b3192f5eebd8579568a2ed41e6feb402f93f73f",
    "0xb12494c8824fc069757f47d177e666c571cd49ae",
}
"""Tokens of block 14396881 whose logs do not say what moved: whoever receives gets less, or holders share in it."""
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"


@dataclass(frozen=True, slots=True)
class Stage:
    """An anvil that stands some empty blocks before the real one, behind a proxy."""

    replay: Replay
    anvil: Anvil
    folder: Path

    def configure(self, name: str, url: str, *, ledger: bool) -> Path:
        """Reads the pairs of the block, and balances of all its pools in all its tokens."""
        calls = [(call.to, call.signature) for call in self.replay.before.expected]
        pairs = [to for to, signature in calls if signature == "getReserves()"]
        balances = [(to, signature[10:-1]) for to, signature in calls if signature.startswith("balanceOf(")]
        lines = [
            f'[chains.devnet]\nchain_id = 1\nendpoints = ["{url}"]\nevery = "block"\nblock_time_s = 1\npoll_s = 0.1'
        ]
        lines += [f'native = {{ symbol = "ETH", decimals = 18, wrapped = "{WETH}" }}', "ledger_proof_s = 0"]
        lines += [f"ledger = {str(ledger).lower()}", '[[protocols]]\nname = "pairs"\nchain = "devnet"']
        lines += [f'kind = "uniswap_v2"\npairs = {pairs}', '[[protocols]]\nname = "balances"\nchain = "devnet"']
        lines += ['kind = "token_balances"', f"owners = {sorted({owner for _, owner in balances})}"]
        file = self.folder / f"{name}.toml"
        file.write_text("\n".join([*lines, f"tokens = {sorted({token for token, _ in balances})}", ""]))
        return file

    def store(self, config: Path) -> Store:
        return open_store(f"sqlite:///{config.with_suffix('.db')}")


MOVED = {13287210: 3, 14396881: 14, 15050000: 18, 15538827: 57}
"""Balances and reserves that the logs of each block change. The first is one pair's trades among payments of ether."""


@pytest.fixture(params=MOVED)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    replay = Replay.load(FOLDER / f"{request.param}_replay.json.gz")
    with replay.start(KNOWN + BEFORE) as anvil:
        anvil.mine(KNOWN)
        yield Stage(replay, anvil, tmp_path)


def said_by_mainnet(stage: Stage) -> None:
    """The mined block is mainnet's, and so is what its contracts answer after it."""
    block = stage.anvil.block(stage.replay.number)
    for name in ("number", "timestamp", "gasUsed", "receiptsRoot", "logsBloom"):
        assert block[name] == stage.replay.header[name], name
    for call in stage.replay.expected:
        answer = stage.anvil.rpc("eth_call", {"to": call.to, "data": call.data}, hex(stage.replay.number))
        assert answer == call.answer, (call.to, call.signature)


@asynccontextmanager
async def followed(stage: Stage, proxy: FaultProxy) -> AsyncIterator[dict[str, Store]]:
    """Two daemons, by logs and by reads."""
    configs = {name: stage.configure(name, proxy.url, ledger=name == "logs") for name in ("logs", "reads")}
    programs = {name: load_program(config) for name, config in configs.items()}
    async with (
        stage.store(configs["logs"]) as logs,
        stage.store(configs["reads"]) as reads,
        following(programs["logs"], logs),
        following(programs["reads"], reads),
    ):
        yield {"logs": logs, "reads": reads}


async def test_a_real_block_is_stored_by_logs_as_by_reads_and_as_a_plain_look_says(stage: Stage) -> None:
    first, number = stage.anvil.block_number(), stage.replay.number
    async with FaultProxy(stage.anvil.url) as proxy, followed(stage, proxy) as stores:
        for at in range(first, number + AFTER + 1):
            if at > first:
                async with proxy.quiet():
                    stage.replay.mine(stage.anvil) if at == number else stage.anvil.mine()
            for store in stores.values():
                await reached(store, at)
        folded = (await stores["logs"].chain_state("devnet")).ways["folded"]
    said_by_mainnet(stage)
    assert folded >= MOVED[number], "what changed is answered from logs again, a few blocks later"
    clean = stage.configure("clean", stage.anvil.url, ledger=False)
    await index_each(clean, range(first, number + AFTER + 1))
    plain = await digests(clean, first, number + AFTER)
    for name in ("logs", "reads"):
        assert await digests(stage.folder / f"{name}.toml", first, number + AFTER) == plain


async def test_logs_of_a_real_block_lead_to_what_the_node_answers_but_for_fees_on_transfer(stage: Stage) -> None:
    stage.anvil.mine(BEFORE)
    chain = load_program(stage.configure("logs", stage.anvil.url, ledger=True)).chains["devnet"]
    async with open_chain(chain, QUIET) as live:
        ledger = live.ledger()
        assert ledger is not None
        await take(chain, ledger, await live.head(), chain.deployments, Known())
        stage.replay.mine(stage.anvil)
        at = await live.head()
        moved = dict(await ledger.follow([at]))[at]
        wrong = await differing(ledger, at)
    assert at.number == stage.replay.number
    assert len(moved) == MOVED[at.number]
    assert {target for target, _ in wrong} == (FEE_ON_TRANSFER if at.number == 14396881 else set())


async def differing(ledger: Ledger, at: BlockRef) -> list[tuple[str, str]]:
    """Folded answers that the node does not give."""
    tracks = list(ledger.book.tracks.values())
    raws = await ledger.source.fetch({track.key: ask_of(track.key) for track in tracks}, at)
    return [
        (track.key[0], track.key[1].hex())
        for track, raw in zip(tracks, raws, strict=True)
        if track.state is not None and track.rule.write(track.state) != raw
    ]


def ask_of(key: CallKey) -> Call:
    return Call(*key, function("any()"))
