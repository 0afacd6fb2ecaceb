"""On real contracts: a deployment that no log touched is not read again, and says what a reading of it would."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devnet import Devnet, deploy_protocols
from devnet.traders import Traders
from indexer.chain.blocks import headers
from indexer.reads.ledger.ledger import Ledger
from indexer.run.known import Known, Taken
from indexer.run.live import LiveChain, open_chain
from indexer.run.program import load_program
from indexer.run.snapshot import take
from indexer.run.standing import Standing
from tests.e2e.support import QUIET, Setting

pytestmark = pytest.mark.anvil

TRADED, QUIET_BLOCKS = 40, 4


@dataclass
class Reader:
    """Takes every deployment at block after block, with what is known of the blocks before."""

    live: LiveChain
    ledger: Ledger | None = None
    standing: Standing | None = None
    known: Known = field(default_factory=Known)

    async def take(self, number: int) -> Taken:
        (at,) = await headers(self.live.pool, range(number, number + 1))
        if self.ledger:
            await self.ledger.follow([at])
        source, chain = self.ledger or self.live.reader, self.live.program
        taken = await take(chain, source, at, chain.deployments, self.known, standing=self.standing)
        self.known.learn(taken)
        return taken


def by_logs(live: LiveChain) -> Reader:
    ledger = live.ledger()
    assert ledger is not None
    return Reader(live, ledger, Standing(ledger))


async def test_at_every_block_an_unchanged_deployments_snapshot_is_that_of_a_reading(tmp_path: Path) -> None:
    with Devnet.start() as net:
        addresses = deploy_protocols(net)
        chain = load_program(Setting(net, addresses, tmp_path).configure()).chains["devnet"]
        first = net.block_number()
        net.mine(QUIET_BLOCKS)
        traders = Traders(net, addresses, seed=5)
        for _ in range(TRADED):
            traders.step()
        async with open_chain(chain, QUIET) as live:
            followed, read = by_logs(live), Reader(live)
            stood = []
            for number in range(first, net.block_number() + 1):
                here = await followed.take(number)
                assert here.snapshots == (await read.take(number)).snapshots
                stood.append(here.unchanged)
    assert {len(some) for some in stood} >= {0, 1, 2}, "some are touched and some are not, differently at every block"
    assert set().union(*stood) >= {"uniswap-v2@devnet", "uniswap-v3@devnet"}


async def test_a_deployment_of_which_a_log_was_seen_is_read_again_and_the_others_are_not(tmp_path: Path) -> None:
    with Devnet.start() as net:
        addresses = deploy_protocols(net)
        chain = load_program(Setting(net, addresses, tmp_path).configure()).chains["devnet"]
        first = net.block_number()
        net.mine(QUIET_BLOCKS)
        pair = addresses.uniswap_v2.pairs["WETH/USDC"]
        net.send(addresses.token("USDC"), "mint(address,uint256)", pair, 1_000)
        net.send(pair, "sync()")
        net.mine()
        async with open_chain(chain, QUIET) as live:
            reader = by_logs(live)
            for number in range(first, net.block_number()):
                last = await reader.take(number)
            touched = await reader.take(net.block_number())
    assert last.unchanged - touched.unchanged == {"uniswap-v2@devnet", "lockers@devnet"}, "these hold the pair's shares"
