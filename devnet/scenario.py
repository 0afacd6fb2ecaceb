"""A story of fifty-some blocks in which everything happens that an index of locked value must get right.
The same seed on a freshly deployed chain gives the same block hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from devnet.addresses import Addresses
from devnet.chain import Devnet
from devnet.desk import Desk
from devnet.protocols.chainlink import answer_of_cents
from devnet.traders import Traders

BLOCK_TIME_S = 12
A_DAY_S = 86_400
QUIET_BLOCKS = 2


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in one block: `name` as in SCENES, or "trading" for the blocks between."""

    block: int
    timestamp: int
    name: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One block: `act` sends its transactions, and it is mined `after_s` seconds after the one before."""

    name: str
    act: Callable[[Desk, Random], None]
    after_s: int = BLOCK_TIME_S


def scenario(net: Devnet, addresses: Addresses, seed: int = 0) -> list[Step]:
    """Play every scene, with blocks of random trading before each; what happened in which block."""
    return list(play(net, addresses, seed))


def play(net: Devnet, addresses: Addresses, seed: int = 0) -> Iterator[Step]:
    """The same, block by block: stop whenever you like."""
    traders, random, desk = Traders(net, addresses, seed), Random(seed), Desk(net, addresses)
    for scene in SCENES:
        for _ in range(QUIET_BLOCKS):
            traders.step(BLOCK_TIME_S)
            yield _step(net, "trading")
        scene.act(desk, random)
        net.mine(dt=scene.after_s)
        yield _step(net, scene.name)


def _step(net: Devnet, name: str) -> Step:
    return Step(net.block_number(), net.timestamp(), name)


def _user(desk: Desk, random: Random) -> str:
    return random.choice(desk.addresses.users)


def _amount(desk: Desk, random: Random, symbol: str, most: int) -> int:
    """Between half of `most` whole tokens and all of it."""
    return desk.addresses.amount(symbol, 0, random.randint(most * 500, most * 1000))


def _deposit_into_vaults(desk: Desk, random: Random) -> None:
    user = _user(desk, random)
    desk.deposit(user, "vUSDC", _amount(desk, random, "USDC", 400_000))
    desk.deposit(user, "vDAI", _amount(desk, random, "DAI", 200_000))
    desk.deposit(user, "vWETH", _amount(desk, random, "WETH", 100))


def _vaults_earn(desk: Desk, random: Random) -> None:
    desk.earn("vUSDC", _amount(desk, random, "USDC", 25_000))
    desk.earn("vWETH", _amount(desk, random, "WETH", 4))


def _ether_rises_a_tenth(desk: Desk, _: Random) -> None:
    desk.set_price("ETH/USD", desk.price("ETH/USD") * 11 // 10)


def _provide_and_concentrate(desk: Desk, random: Random) -> None:
    user = _user(desk, random)
    desk.add_liquidity_v2(user, "WETH/USDC", _amount(desk, random, "WETH", 200))
    amounts = (_amount(desk, random, "WETH", 100), _amount(desk, random, "USDC", 200_000))
    desk.open_position(user, "WETH/USDC/500", amounts, width=30)


def _close_positions(desk: Desk, _: Random) -> None:
    """All but the first user's full-range ones, without which the pools would be empty."""
    first, *others = desk.addresses.users
    own_at_start = len(desk.addresses.uniswap_v3.pools)
    for position, liquidity in desk.positions(first)[own_at_start:]:
        desk.close_position(first, position, liquidity)
    for user in others:
        for position, liquidity in desk.positions(user):
            desk.close_position(user, position, liquidity)
    desk.remove_liquidity_v2(desk.addresses.users[0], "WETH/DAI", _shares(desk, "WETH/DAI") // 4)


def _shares(desk: Desk, pair: str) -> int:
    return desk.balance(desk.addresses.uniswap_v2.pairs[pair], desk.addresses.users[0])


def _lend_and_borrow(desk: Desk, random: Random) -> None:
    user = _user(desk, random)
    desk.supply(user, "WETH", _amount(desk, random, "WETH", 800))
    desk.borrow(user, "USDC", _amount(desk, random, "USDC", 300_000))
    desk.borrow(user, "DAI", _amount(desk, random, "DAI", 100_000))


def _repay_and_withdraw(desk: Desk, random: Random) -> None:
    user = _user(desk, random)
    desk.repay(user, "USDC", _amount(desk, random, "USDC", 100_000))
    desk.withdraw(user, "WETH", _amount(desk, random, "WETH", 50))


def _tether_loses_its_peg(desk: Desk, _: Random) -> None:
    desk.set_price("USDT/USD", answer_of_cents(87))


def _tether_finds_its_peg(desk: Desk, _: Random) -> None:
    desk.set_price("USDT/USD", answer_of_cents(100))


def _vault_takes_in_five_times_its_assets(desk: Desk, _: Random) -> None:
    vault = desk.addresses.vaults["vDAI"]
    desk.deposit(desk.addresses.users[1], "vDAI", 5 * desk.balance(vault.asset_address, vault.address))


def _vault_is_nearly_emptied(desk: Desk, _: Random) -> None:
    vault = desk.addresses.vaults["vDAI"].address
    for user in desk.addresses.users[1:]:
        desk.redeem(user, "vDAI", desk.balance(vault, user))


def _own_token_prices_itself(desk: Desk, _: Random) -> None:
    """A purchase of a few ether raises SCAM's price in its only, thin pair many times over."""
    desk.swap_v2(desk.addresses.users[2], "WETH", "SCAM", desk.addresses.amount("WETH", 20))


def _new_pair(desk: Desk, _: Random) -> None:
    amounts = {"LINK": desk.addresses.amount("LINK", 20_000), "USDC": desk.addresses.amount("USDC", 300_000)}
    desk.create_pair_v2(desk.addresses.users[3], amounts)


def _new_aggregator(desk: Desk, _: Random) -> None:
    desk.replace_aggregator("BTC/USD")


def _escrow_releases(desk: Desk, random: Random) -> None:
    user = _user(desk, random)
    desk.release("USDC", user, _amount(desk, random, "USDC", 100_000))
    desk.release_ether(user, 5 * 10**18)


def _nobody_acts(_: Desk, __: Random) -> None:
    pass


SCENES: tuple[Scene, ...] = (
    Scene("deposits into vaults", _deposit_into_vaults),
    Scene("vaults earn", _vaults_earn),
    Scene("ether rises a tenth", _ether_rises_a_tenth),
    Scene("liquidity is provided and concentrated", _provide_and_concentrate),
    Scene("lending and borrowing", _lend_and_borrow),
    Scene("a day without blocks", _nobody_acts, A_DAY_S),
    Scene("repaying and withdrawing", _repay_and_withdraw),
    Scene("tether loses its peg", _tether_loses_its_peg),
    Scene("tether finds its peg", _tether_finds_its_peg),
    Scene("a vault takes in five times its assets", _vault_takes_in_five_times_its_assets),
    Scene("a vault is nearly emptied", _vault_is_nearly_emptied),
    Scene("a token prices itself", _own_token_prices_itself),
    Scene("a new pair", _new_pair),
    Scene("a new aggregator", _new_aggregator),
    Scene("the escrow releases", _escrow_releases),
    Scene("positions are closed", _close_positions),
)
DURATION_S = sum(QUIET_BLOCKS * BLOCK_TIME_S + scene.after_s for scene in SCENES)
