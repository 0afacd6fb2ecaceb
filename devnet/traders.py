"""Users who act at random and for ever, one block a step: the same seed does the same on the same chain.
They trade pools towards the feeds' prices and keep their debts small, so that nothing of theirs reverts."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from devnet.addresses import Addresses
from devnet.chain import Devnet
from devnet.desk import Desk
from devnet.protocols.chainlink import OPENING_CENTS, answer_of_cents

FEED_OF = {
    "WETH": "ETH/USD",
    "WBTC": "BTC/USD",
    "USDC": "USDC/USD",
    "USDT": "USDT/USD",
    "DAI": "DAI/USD",
    "LINK": "LINK/USD",
}
STABLE_FEEDS = ("USDC/USD", "USDT/USD", "DAI/USD")
PARTS = 10_000
PRICE_EVERY = 4
HEARTBEAT_S = 3_600


class Traders:
    """The users of a devnet. Each step lets two to four of them act once; every few steps a feed moves."""

    def __init__(self, net: Devnet, addresses: Addresses, seed: int = 0) -> None:
        self._net = net
        self._addresses = addresses
        self._desk = Desk(net, addresses)
        self._random = Random(seed)
        self._steps = 0
        self._answered_at: dict[str, int] = {}

    def step(self, dt: int = 12) -> None:
        """One block of transactions, `dt` seconds after the one before."""
        self.step_at(self._net.timestamp() + dt)

    def step_at(self, timestamp: int) -> None:
        """One block of transactions at that time."""
        for user in self._random.sample(self._addresses.users, self._random.randint(2, 4)):
            self._random.choice(_ACTIONS)(self, user)
        if self._steps % PRICE_EVERY == 0:
            self._move_price(timestamp)
        self._keep_heartbeats(timestamp)
        self._steps += 1
        self._net.mine_at(timestamp)

    def _swap_v2(self, user: str) -> None:
        """Sell what the pool has too little of, which brings its price home to the feeds'."""
        pair = self._random.choice([name for name in self._addresses.uniswap_v2.pairs if "SCAM" not in name])
        symbol0, symbol1 = pair.split("/")
        reserve0, reserve1 = self._desk.reserves(pair)
        if self._worth(symbol0, reserve0) < self._worth(symbol1, reserve1):
            self._desk.swap_v2(user, symbol0, symbol1, self._part(reserve0, 40))
        else:
            self._desk.swap_v2(user, symbol1, symbol0, self._part(reserve1, 40))

    def _swap_v3(self, user: str) -> None:
        pool = self._random.choice(list(self._addresses.uniswap_v3.pools))
        symbol0, symbol1, _ = pool.split("/")
        sold = self._random.choice((symbol0, symbol1))
        held = self._desk.balance(self._addresses.token(sold), self._addresses.uniswap_v3.pools[pool])
        self._desk.swap_v3(user, pool, sold, self._part(held, 20))

    def _add_liquidity(self, user: str) -> None:
        pair = self._random.choice(list(self._addresses.uniswap_v2.pairs))
        self._desk.add_liquidity_v2(user, pair, self._part(self._desk.reserves(pair)[0], 100))

    def _remove_liquidity(self, user: str) -> None:
        pair = self._random.choice(list(self._addresses.uniswap_v2.pairs))
        shares = self._desk.balance(self._addresses.uniswap_v2.pairs[pair], user)
        if shares > PARTS:
            self._desk.remove_liquidity_v2(user, pair, self._part(shares, 800))

    def _deposit(self, user: str) -> None:
        name = self._random.choice(list(self._addresses.vaults))
        vault = self._addresses.vaults[name]
        held = self._desk.balance(vault.asset_address, vault.address)
        amount = self._part(held, 100)
        if vault.asset in self._addresses.tokens or self._desk.balance(vault.asset_address, user) > amount:
            self._desk.deposit(user, name, amount)

    def _redeem(self, user: str) -> None:
        name = self._random.choice(list(self._addresses.vaults))
        shares = self._desk.balance(self._addresses.vaults[name].address, user)
        if shares > PARTS:
            self._desk.redeem(user, name, self._part(shares, 300))

    def _earn(self, _: str) -> None:
        vaults = self._addresses.vaults
        name = self._random.choice([name for name in vaults if vaults[name].asset in FEED_OF])
        held = self._desk.balance(vaults[name].asset_address, vaults[name].address)
        self._desk.earn(name, self._part(held, 2))

    def _lend(self, user: str) -> None:
        symbol = self._random.choice(list(self._addresses.aave.reserves))
        self._desk.supply(user, symbol, self._part(self._supplied(user, symbol), 100))

    def _unlend(self, user: str) -> None:
        symbol = self._random.choice(list(self._addresses.aave.reserves))
        if self._desk.is_healthy(user):
            self._desk.withdraw(user, symbol, self._part(self._supplied(user, symbol), 100))

    def _borrow(self, user: str) -> None:
        symbol = self._random.choice(list(self._addresses.aave.reserves))
        if self._desk.is_healthy(user):
            self._desk.borrow(user, symbol, self._part(self._idle(symbol), 10))

    def _repay(self, user: str) -> None:
        symbol = self._random.choice(list(self._addresses.aave.reserves))
        debt = self._desk.balance(self._addresses.aave.reserves[symbol].variable_debt_token, user)
        if debt > PARTS:
            self._desk.repay(user, symbol, self._part(debt, 1500))

    def _move_price(self, timestamp: int) -> None:
        """By half a percent at most (a tenth of that for stablecoins), and never far from the opening."""
        feed = self._random.choice(list(self._addresses.feeds))
        width = 5 if feed in STABLE_FEEDS else 50
        opening = answer_of_cents(OPENING_CENTS[feed])
        moved = self._desk.price(feed) * (PARTS + self._random.randint(-width, width)) // PARTS
        room = 40 * width
        lowest, highest = opening * (PARTS - room) // PARTS, opening * (PARTS + room) // PARTS
        self._desk.set_price(feed, min(max(moved, lowest), highest))
        self._answered_at[feed] = timestamp

    def _keep_heartbeats(self, timestamp: int) -> None:
        """Every feed answers anew when its last answer is an hour old."""
        for feed in self._addresses.feeds:
            if timestamp - self._answered_at.get(feed, 0) >= HEARTBEAT_S:
                self._desk.set_price(feed, self._desk.price(feed))
                self._answered_at[feed] = timestamp

    def _worth(self, symbol: str, amount: int) -> int:
        """Raw USD of 26 decimals."""
        unit: int = 10 ** (18 - self._addresses.tokens[symbol].decimals)
        return amount * unit * self._desk.price(FEED_OF[symbol])

    def _supplied(self, user: str, symbol: str) -> int:
        return self._desk.balance(self._addresses.aave.reserves[symbol].a_token, user)

    def _idle(self, symbol: str) -> int:
        reserve = self._addresses.aave.reserves[symbol]
        return self._desk.balance(reserve.underlying, reserve.a_token)

    def _part(self, amount: int, most: int) -> int:
        """A random part of an amount, of one to `most` ten-thousandths, never nothing."""
        return amount * self._random.randint(1, most) // PARTS + 1


_ACTIONS: tuple[Callable[[Traders, str], None], ...] = (
    Traders._swap_v2,
    Traders._swap_v2,
    Traders._swap_v3,
    Traders._swap_v3,
    Traders._add_liquidity,
    Traders._remove_liquidity,
    Traders._deposit,
    Traders._redeem,
    Traders._earn,
    Traders._lend,
    Traders._unlend,
    Traders._borrow,
    Traders._repay,
)
