"""On real contracts: what logs say of every call, at every block, against the node's own answer to that call there.

A hundred blocks of the scenario and of seeded trade, and a random life with reorgs and with tokens that misbehave:
some hundred blocks of it, thousands with `--ledger-blocks 3000`, another one with `--ledger-seed 2`; from a node that
has all logs, and from one that leaves out one in sixty (`--ledger-lacks`).
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from devnet import Addresses, Devnet, deploy_protocols
from devnet.desk import Desk
from devnet.faults import Lacking
from devnet.proxy import FaultProxy
from devnet.scenario import scenario
from devnet.traders import Traders
from indexer.chain.blocks import headers
from indexer.model import Address
from indexer.reads.abi import function, interface
from indexer.reads.ledger.audit import SHARES, Difference, audit, rotation, settle
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.ledger.reasons import LEFT_OUT, REBASES, SILENT
from indexer.reads.ledger.rules import Way
from indexer.reads.plan import Ask, Call
from indexer.reads.source import CallKey, Key
from indexer.run import bookkeeping
from indexer.run.known import Known
from indexer.run.live import LiveChain, open_chain
from indexer.run.program import load_program
from indexer.run.snapshot import take
from tests.chain import ledger_life
from tests.chain.ledger_life import Life
from tests.e2e.support import QUIET, Setting

pytestmark = pytest.mark.anvil

BLOCKS = 120
A_RANGE = 37
ANY, ERC20 = function("any()"), interface("erc20")


async def test_every_folded_answer_at_every_block_is_the_nodes_own(tmp_path: Path) -> None:
    with Devnet.start() as net:
        addresses = deploy_protocols(net)
        config = Setting(net, addresses, tmp_path).configure()
        first = net.block_number()
        scenario(net, addresses)
        traders = Traders(net, addresses, seed=11)
        for _ in range(BLOCKS):
            traders.step()
        chain = load_program(config).chains["devnet"]
        async with open_chain(chain, QUIET) as live:
            ledger = await opened(live, first)
            await folded(live, ledger, first, net.block_number())
            wrong = await compared(live, ledger, first, net.block_number())
        kinds = {name for track in ledger.book.tracks.values() for name in [track.rule.way]}
        assert kinds == {Way.FOLDED, Way.TRIGGERED}
        assert len(ledger.book.tracks) > 60
        assert wrong, "a comparison that sees nothing proves nothing"
        assert wrong.keys() <= mute(ledger, addresses)


async def opened(live: LiveChain, number: int) -> Ledger:
    """A ledger over everything that a snapshot of the block asks."""
    ledger = live.ledger()
    assert ledger is not None
    at = await live.clock.block(number)
    assert at is not None
    await take(live.program, ledger, at, live.program.deployments, Known())
    return ledger


async def folded(live: LiveChain, ledger: Ledger, first: int, last: int) -> None:
    """All blocks, some by themselves and the others in ranges."""
    number = first + 1
    while number <= last:
        length = 1 if number % 3 == 0 else A_RANGE
        blocks = await headers(live.pool, range(number, min(number + length, last + 1)))
        await ledger.follow(blocks)
        number += length


async def compared(live: LiveChain, ledger: Ledger, first: int, last: int) -> dict[CallKey, int]:
    """The first block at which an answer by logs is not the node's."""
    wrong: dict[CallKey, int] = {}
    asks: dict[Key, Ask] = {key: Call(*key, ANY) for key in ledger.book.tracks if isinstance(key, tuple)}
    for number in range(first, last + 1):
        raws = await live.reader.fetch(asks, ledger.blocks[number])
        for track, raw in zip(ledger.book.tracks.values(), raws, strict=True):
            state = track.at(number)
            if state is not None and track.rule.write(state) != raw:
                wrong.setdefault(track.key, number)
    return wrong


def mute(ledger: Ledger, addresses: Addresses) -> set[CallKey]:
    """What changes without a log here, and is never given out: interest on debts, and the feeds of a devnet."""
    reserves = addresses.aave.reserves.values()
    debts = {debt for one in reserves for debt in (one.variable_debt_token, one.stable_debt_token)}
    mute = debts | {feed.proxy for feed in addresses.feeds.values()}
    return {track.key for track in ledger.book.tracks.values() if track.key[0] in mute and track.rule.way is Way.FOLDED}


@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("node", ["true", "lacking"])
async def test_in_a_random_life_every_answer_that_is_left_standing_is_the_nodes_own(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    """With reorgs, and tokens that mint, rebase and take fees in silence: each answer at each block, once every part of
    them has been audited. In a short life audits come more often, so that it is not all waiting for them."""
    blocks, seed, lacks = [request.config.getoption(f"--ledger-{name}") for name in ("blocks", "seed", "lacks")]
    print(f"--ledger-blocks {blocks} --ledger-seed {seed} --ledger-lacks {lacks}")
    monkeypatch.setattr(bookkeeping, "AUDIT_EVERY", min(bookkeeping.AUDIT_EVERY, max(blocks // 50, 2)))
    lacking = Lacking(lacks if node == "lacking" else sys.maxsize, seed)
    if node == "lacking":  # of two blocks at one time a pair sums up the second alone
        monkeypatch.setattr(ledger_life, "TIMES_S", [time_s for time_s in ledger_life.TIMES_S if time_s])
    with Devnet.start() as net:
        addresses = deploy_protocols(net)
        async with FaultProxy(net.url) as proxy:
            proxy.fault(lacking)
            setting = Setting(net, addresses, tmp_path, "")
            chain = load_program(setting.configure(url=proxy.url if node == "lacking" else net.url)).chains["devnet"]
            async with open_chain(chain, QUIET) as live:
                ledger = live.ledger()
                assert ledger is not None
                life = Life(net, addresses, live, ledger, seed)
                await life.begin()
                await life.live_on(blocks)
    print(len(lacking.logs), "logs were left out")
    print(life.seen, life.restless.done)
    assert life.wrong == {}
    assert life.seen.folded > life.seen.given // 3, "what is only read proves nothing"
    assert life.seen.reasons.keys() >= ({LEFT_OUT} if node == "lacking" else {REBASES, SILENT})
    assert life.seen.happenings["fork"] + life.seen.happenings["reorg"] > 0


async def test_a_debt_whose_interest_shows_takes_the_smaller_debts_of_its_token_with_it(tmp_path: Path) -> None:
    """Without proof all are believed. The smallest is never given out wrong: it is read before its interest shows."""
    with Devnet.start() as net:
        addresses = deploy_protocols(net)
        config = Setting(net, addresses, tmp_path).configure()
        large, small, *_ = addresses.users
        debt = Address(addresses.aave.reserves["WBTC"].variable_debt_token)
        for user, units in ((large, 10**8), (small, 5 * 10**7)):
            Desk(net, addresses).borrow(user, "WBTC", units)
        net.mine()
        async with open_chain(load_program(config).chains["devnet"], QUIET) as live:
            ledger = live.ledger()
            assert ledger is not None
            asks: dict[Key, Ask] = {
                (call.target, call.data): call for call in [ERC20.balanceOf(debt, large), ERC20.balanceOf(debt, small)]
            }
            believed, wrong, found, showed = 0, Counter[Key](), list[Difference](), Counter[Key]()
            before = None
            for number in range(40):
                at = await live.head()
                await ledger.follow([at] if number else [])
                given, truth = await ledger.fetch(asks, at), await live.reader.fetch(asks, at)
                believed += all(ledger.way(key) is Way.FOLDED for key in asks)
                wrong.update(key for key, one, other in zip(asks, given, truth, strict=True) if one != other)
                showed.update(key for key, one, other in zip(asks, truth, before or truth, strict=True) if one != other)
                before = truth
                if number % 4 == 3:
                    found += await audit(ledger, rotation_of_all(ledger), at)
                    found += await settle(ledger, at.number)
                net.mine(dt=60)
        first, second = asks
        assert believed
        assert [one.key for one in found] == [first]
        assert set(wrong) == {first}
        assert showed[second]
        assert ledger.belief.flaws.keys() == {first, second}


def rotation_of_all(ledger: Ledger) -> list[CallKey]:
    return [key for turn in range(SHARES) for key in rotation(ledger, turn)]
