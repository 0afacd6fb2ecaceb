"""What users do on a devnet, one method an action: swap, provide, deposit, borrow, repay, redeem, donate.
Every action waits for the next block. A user who lacks the tokens for one is given them first."""

from __future__ import annotations

from dataclasses import dataclass

from devnet.addresses import Addresses
from devnet.chain import Devnet
from devnet.protocols import aave_v3, chainlink, erc4626, uniswap_v2, uniswap_v3
from devnet.protocols.tokens import approve

HEALTHY = 2 * 10**18


@dataclass(frozen=True, slots=True)
class Desk:
    """The actions of one chain's users; amounts are raw, tokens and pools are named as in Addresses."""

    net: Devnet
    addresses: Addresses

    def balance(self, token: str, holder: str) -> int:
        return int(self.net.call(token, "balanceOf(address)(uint256)", holder))

    def provide(self, user: str, symbol: str, amount: int) -> str:
        """A token's address; mints (or wraps) what the user lacks of `amount`."""
        token = self.addresses.token(symbol)
        missing = amount - self.balance(token, user)
        if missing > 0 and symbol == "WETH":
            self.net.send(token, "deposit()", sender=user, value=missing)
        elif missing > 0:
            self.net.send(token, "mint(address,uint256)", user, missing)
        return token

    def swap_v2(self, user: str, sold: str, bought: str, amount: int) -> None:
        token = self.provide(user, sold, amount)
        router = self.addresses.uniswap_v2.router
        uniswap_v2.swap(self.net, router, token, self.addresses.token(bought), amount, sender=user)

    def add_liquidity_v2(self, user: str, pair: str, amount0: int) -> None:
        """Provide `amount0` of the pair's first token and as much of the second as its price asks."""
        symbol0, symbol1 = pair.split("/")
        reserve0, reserve1 = self.reserves(pair)
        amount1 = amount0 * reserve1 // reserve0
        tokens = (self.provide(user, symbol0, amount0), self.provide(user, symbol1, amount1))
        router = self.addresses.uniswap_v2.router
        uniswap_v2.add_liquidity(self.net, router, tokens, (amount0, amount1), sender=user)

    def remove_liquidity_v2(self, user: str, pair: str, shares: int) -> None:
        symbol0, symbol1 = pair.split("/")
        tokens = (self.addresses.token(symbol0), self.addresses.token(symbol1))
        router = self.addresses.uniswap_v2.router
        approve(self.net, [self.addresses.uniswap_v2.pairs[pair]], [user], router)
        uniswap_v2.remove_liquidity(self.net, router, tokens, shares, sender=user)

    def create_pair_v2(self, user: str, amounts: dict[str, int]) -> None:
        """A new pair of two tokens, with its first liquidity."""
        tokens = [self.provide(user, symbol, amount) for symbol, amount in amounts.items()]
        router = self.addresses.uniswap_v2.router
        first, second = amounts.values()
        uniswap_v2.add_liquidity(self.net, router, (tokens[0], tokens[1]), (first, second), sender=user)

    def reserves(self, pair: str) -> tuple[int, int]:
        """A pair's reserves of token0 and token1."""
        address = self.addresses.uniswap_v2.pairs[pair]
        reserve0, reserve1, _ = self.net.call(address, "getReserves()(uint112,uint112,uint32)")
        return reserve0, reserve1

    def swap_v3(self, user: str, pool: str, sold: str, amount: int) -> None:
        symbol0, symbol1, fee = pool.split("/")
        bought = symbol1 if sold == symbol0 else symbol0
        route = (self.provide(user, sold, amount), self.addresses.token(bought), int(fee))
        uniswap_v3.swap(self.net, self.addresses.uniswap_v3.swap_router, route, amount, sender=user)

    def open_position(self, user: str, pool: str, amounts: tuple[int, int], width: int) -> None:
        """Provide concentrated liquidity `width` tick spacings to both sides of the price."""
        symbol0, symbol1, fee = pool.split("/")
        address = self.addresses.uniswap_v3.pools[pool]
        slot0 = self.net.call(address, "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)")
        token0, token1 = self.provide(user, symbol0, amounts[0]), self.provide(user, symbol1, amounts[1])
        ticks = uniswap_v3.around(slot0[1], int(fee), width)
        manager = self.addresses.uniswap_v3.position_manager
        uniswap_v3.mint(self.net, manager, (token0, token1, int(fee)), ticks, amounts, sender=user)

    def positions(self, user: str) -> list[tuple[int, int]]:
        """The user's Uniswap V3 positions that hold liquidity: (id, liquidity)."""
        manager = self.addresses.uniswap_v3.position_manager
        found = []
        for index in range(self.balance(manager, user)):
            position = self.net.call(manager, "tokenOfOwnerByIndex(address,uint256)(uint256)", user, index)
            liquidity = self.net.call(manager, _POSITIONS, position)[7]
            found.append((position, liquidity))
        return [(position, liquidity) for position, liquidity in found if liquidity > 0]

    def close_position(self, user: str, position: int, liquidity: int) -> None:
        manager = self.addresses.uniswap_v3.position_manager
        uniswap_v3.burn(self.net, manager, position, liquidity, sender=user)

    def supply(self, user: str, symbol: str, amount: int) -> None:
        token = self.provide(user, symbol, amount)
        aave_v3.supply(self.net, self.addresses.aave.pool, token, amount, sender=user)

    def withdraw(self, user: str, symbol: str, amount: int) -> None:
        token = self.addresses.token(symbol)
        aave_v3.withdraw(self.net, self.addresses.aave.pool, token, amount, sender=user)

    def borrow(self, user: str, symbol: str, amount: int) -> None:
        token = self.addresses.token(symbol)
        aave_v3.borrow(self.net, self.addresses.aave.pool, token, amount, sender=user)

    def repay(self, user: str, symbol: str, amount: int) -> None:
        token = self.provide(user, symbol, amount)
        aave_v3.repay(self.net, self.addresses.aave.pool, token, amount, sender=user)

    def is_healthy(self, user: str) -> bool:
        """Whether the user's Aave collateral is worth twice what the market asks for the debt."""
        account = self.net.call(self.addresses.aave.pool, _ACCOUNT, user)
        return int(account[5]) > HEALTHY

    def deposit(self, user: str, vault: str, assets: int) -> None:
        asset = self.addresses.vaults[vault].asset
        if asset in self.addresses.tokens:
            self.provide(user, asset, assets)
        erc4626.deposit(self.net, self.addresses.vaults[vault].address, assets, sender=user)

    def redeem(self, user: str, vault: str, shares: int) -> None:
        erc4626.redeem(self.net, self.addresses.vaults[vault].address, shares, sender=user)

    def earn(self, vault: str, assets: int) -> None:
        """Yield for a vault, out of the deployer's pocket."""
        deployer = self.addresses.deployer
        self.provide(deployer, self.addresses.vaults[vault].asset, assets)
        erc4626.donate(self.net, self.addresses.vaults[vault], assets, sender=deployer)

    def price(self, feed: str) -> int:
        """A feed's present raw answer."""
        return int(self.net.call(self.addresses.feeds[feed].proxy, "latestAnswer()(int256)"))

    def set_price(self, feed: str, answer: int) -> None:
        chainlink.set_price(self.net, self.addresses.feeds[feed], answer)

    def replace_aggregator(self, feed: str) -> None:
        chainlink.replace_aggregator(self.net, self.addresses.feeds[feed], self.price(feed))

    def release(self, symbol: str, to: str, amount: int) -> None:
        """Tokens out of the escrow."""
        token = self.addresses.token(symbol)
        self.net.send(self.addresses.escrow, "release(address,address,uint256)", token, to, amount)

    def release_ether(self, to: str, amount_wei: int) -> None:
        self.net.send(self.addresses.escrow, "releaseEther(address,uint256)", to, amount_wei)


_POSITIONS = (
    "positions(uint256)(uint96,address,address,address,uint24,int24,int24,uint128,uint256,uint256,uint128,uint128)"
)
_ACCOUNT = "getUserAccountData(address)(uint256,uint256,uint256,uint256,uint256,uint256)"
