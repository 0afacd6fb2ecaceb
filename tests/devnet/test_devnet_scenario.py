"""The scenario and the traders: the same every time, and everything in them happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from devnet import Addresses, Devnet, deploy_protocols
from devnet.desk import Desk
from devnet.scenario import DURATION_S, SCENES, Step, scenario
from devnet.traders import Traders

pytestmark = pytest.mark.anvil


@dataclass(frozen=True, slots=True)
class Played:
    net: Devnet
    addresses: Addresses
    steps: dict[str, Step]

    def price(self, feed: str, at: int) -> int:
        answer: int = self.net.call(self.addresses.feeds[feed].proxy, "latestAnswer()(int256)", at=at)
        return answer

    def oldest_answer_s(self, at: int) -> int:
        """The age of the feed that was silent for longest."""
        answered = [
            self.net.call(feed.proxy, "latestTimestamp()(uint256)", at=at) for feed in self.addresses.feeds.values()
        ]
        return int(self.net.block(at)["timestamp"], 16) - min(answered)

    def assets(self, vault: str, at: int) -> int:
        total: int = self.net.call(self.addresses.vaults[vault].address, "totalAssets()(uint256)", at=at)
        return total


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    with Devnet.start() as net:
        addresses = deploy_protocols(net)
        yield Played(net, addresses, {step.name: step for step in scenario(net, addresses, 7)})


def last_hash(seed: int) -> str:
    with Devnet.start() as net:
        scenario(net, deploy_protocols(net), seed)
        return str(net.block()["hash"])


def test_the_same_seed_gives_the_same_hashes(played: Played) -> None:
    assert last_hash(7) == played.net.block()["hash"]


def test_another_seed_gives_other_hashes(played: Played) -> None:
    assert last_hash(8) != played.net.block()["hash"]


def test_every_scene_is_played_within_sixty_blocks(played: Played) -> None:
    assert played.steps.keys() == {"trading"} | {scene.name for scene in SCENES}
    length = played.net.block_number() - played.addresses.ready_block
    assert 40 <= length <= 60
    ready = int(played.net.block(played.addresses.ready_block)["timestamp"], 16)
    assert played.net.timestamp() - ready == DURATION_S


def test_tether_loses_its_peg_and_finds_it_again(played: Played) -> None:
    lost, found = played.steps["tether loses its peg"].block, played.steps["tether finds its peg"].block
    assert played.price("USDT/USD", lost) == 87_000_000
    assert played.price("USDT/USD", found) == 100_000_000


def test_a_day_passes_without_blocks(played: Played) -> None:
    step = played.steps["a day without blocks"]
    before = int(played.net.block(step.block - 1)["timestamp"], 16)
    assert step.timestamp - before == 86_400


def test_feeds_are_a_day_old_after_it_and_fresh_a_block_later(played: Played) -> None:
    block = played.steps["a day without blocks"].block
    assert played.oldest_answer_s(block) > 86_400
    assert played.oldest_answer_s(block + 1) < 3_600


def test_a_vault_grows_sixfold_and_is_nearly_emptied(played: Played) -> None:
    full = played.steps["a vault takes in five times its assets"].block
    empty = played.steps["a vault is nearly emptied"].block
    assert played.assets("vDAI", full) == 6 * played.assets("vDAI", full - 1)
    assert played.assets("vDAI", empty) < played.assets("vDAI", full) // 4


def test_a_pair_is_made_that_the_addresses_do_not_know(played: Played) -> None:
    factory, block = played.addresses.uniswap_v2.factory, played.steps["a new pair"].block
    known = len(played.addresses.uniswap_v2.pairs)
    assert played.net.call(factory, "allPairsLength()(uint256)", at=block - 1) == known
    assert played.net.call(factory, "allPairsLength()(uint256)", at=block) == known + 1


def test_a_new_aggregator_starts_a_new_phase_at_the_old_price(played: Played) -> None:
    proxy, block = played.addresses.feeds["BTC/USD"].proxy, played.steps["a new aggregator"].block
    assert played.net.call(proxy, "phaseId()(uint16)", at=block - 1) == 1
    assert played.net.call(proxy, "phaseId()(uint16)", at=block) == 2
    assert played.price("BTC/USD", block) == played.price("BTC/USD", block - 1)


def test_a_token_raises_its_own_price_a_hundredfold(played: Played) -> None:
    pair, block = played.addresses.uniswap_v2.pairs["SCAM/WETH"], played.steps["a token prices itself"].block
    reserves = "getReserves()(uint112,uint112,uint32)"
    scam_before, weth_before, _ = played.net.call(pair, reserves, at=block - 1)
    scam_after, weth_after, _ = played.net.call(pair, reserves, at=block)
    assert weth_after * scam_before > 100 * weth_before * scam_after


def test_pairs_still_hold_what_their_reserves_say(played: Played) -> None:
    desk = Desk(played.net, played.addresses)
    for name, pair in played.addresses.uniswap_v2.pairs.items():
        held = tuple(desk.balance(played.addresses.token(symbol), pair) for symbol in name.split("/"))
        assert desk.reserves(name) == held


def test_v3_pools_keep_liquidity_when_positions_are_closed(played: Played) -> None:
    for pool in played.addresses.uniswap_v3.pools.values():
        assert played.net.call(pool, "liquidity()(uint128)") > 0


def test_traders_of_one_seed_make_the_same_blocks(net: Devnet, addresses: Addresses) -> None:
    def trade() -> str:
        snapshot = net.snapshot()
        traders = Traders(net, addresses, seed=3)
        for _ in range(20):
            traders.step()
        last = str(net.block()["hash"])
        net.revert(snapshot)
        return last

    assert trade() == trade()


def test_traders_go_on_for_hundreds_of_blocks_without_a_revert(net: Devnet, addresses: Addresses) -> None:
    traders, start = Traders(net, addresses, seed=11), net.block_number()
    for _ in range(400):
        traders.step()
    assert net.block_number() == start + 400
    assert sum(len(net.block(start + index)["transactions"]) for index in range(1, 401)) > 800
