"""The same TVL computed by other means: plain web3.py, one contract call at a time, and exact rational arithmetic.

Shares no code with the indexer. Rounding is the documented one: a price is rounded down at 10**-36 USD, a value at
10**-18 USD, a square root at 10**-54.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import isqrt
from typing import Any

from web3 import HTTPProvider, Web3

from devnet import Addresses

NATIVE = "0x" + "00" * 20
FEED_OF = {"WETH": "ETH/USD", "WBTC": "BTC/USD", "USDC": "USDC/USD", "USDT": "USDT/USD", "DAI": "DAI/USD"}
FEED_OF |= {"LINK": "LINK/USD"}


def floor_at(value: Fraction, decimals: int) -> int:
    return value.numerator * 10**decimals // value.denominator


@dataclass
class Independent:
    """TVL of every protocol of a devnet at a block, in units of 10**-18 USD, by protocol and bucket."""

    url: str
    addresses: Addresses

    def __post_init__(self) -> None:
        self.web3 = Web3(HTTPProvider(self.url, request_kwargs={"timeout": 30}))
        self.ask = cache(self._ask)
        self.symbols = {token.address: symbol for symbol, token in self.addresses.tokens.items()}

    def _ask(self, block: int, target: str, name: str, outputs: str, *args: tuple[str, Any]) -> Any:
        """One `eth_call` of `name(args)` through web3.py's contract object."""
        fragment = {
            "type": "function",
            "name": name,
            "stateMutability": "view",
            "inputs": [{"name": f"a{i}", "type": kind} for i, (kind, _) in enumerate(args)],
            "outputs": [{"name": f"o{i}", "type": kind} for i, kind in enumerate(outputs.split(","))],
        }
        contract = self.web3.eth.contract(address=Web3.to_checksum_address(target), abi=[fragment])
        values = [Web3.to_checksum_address(v) if kind == "address" else v for kind, v in args]
        return contract.functions[name](*values).call(block_identifier=block)

    def tvl(self, block: int) -> dict[str, dict[str, int]]:
        lent, borrowed = self.aave(block)
        everything = {
            "uniswap-v2": {"base": self.uniswap_v2(block)},
            "uniswap-v3": {"base": self.uniswap_v3(block)},
            "aave-v3": {"base": lent, "borrowed": borrowed},
            "vaults": {"base": self.vaults(block)},
            "escrow": {"base": self.escrow(block)},
            "lockers": {"base": self.lockers(block)},
        }
        return {
            protocol: {
                bucket: sum(self.value(block, token, amount) for token, amount in amounts)
                for bucket, amounts in buckets.items()
            }
            for protocol, buckets in everything.items()
        }

    def value(self, block: int, token: str, amount: int) -> int:
        price = self.price(block, token)
        if price is None:
            return 0
        decimals = 18 if token == NATIVE else self.ask(block, token, "decimals", "uint8")
        rounded = Fraction(floor_at(price, 36), 10**36)
        return floor_at(Fraction(amount, 10**decimals) * rounded, 18)

    def price(self, block: int, token: str) -> Fraction | None:
        if token == NATIVE:
            return self.feed(block, "ETH/USD")
        symbol = self.symbols.get(token)
        if symbol in FEED_OF:
            return self.feed(block, FEED_OF[symbol])
        if any(token == vault.address for vault in self.addresses.vaults.values()):
            return self.share_price(block, token)
        if token in self.addresses.uniswap_v2.pairs.values():
            return self.fair_lp_price(block, token)
        return None

    def feed(self, block: int, name: str) -> Fraction:
        proxy = self.addresses.feeds[name].proxy
        answer = self.ask(block, proxy, "latestRoundData", "uint80,int256,uint256,uint256,uint80")[1]
        return Fraction(answer, 10 ** self.ask(block, proxy, "decimals", "uint8"))

    def share_price(self, block: int, vault: str) -> Fraction | None:
        asset = self.ask(block, vault, "asset", "address").lower()
        share = 10 ** self.ask(block, vault, "decimals", "uint8")
        assets = self.ask(block, vault, "convertToAssets", "uint256", ("uint256", share))
        price = self.price(block, asset)
        return price and Fraction(assets, 10 ** self.ask(block, asset, "decimals", "uint8")) * price

    def fair_lp_price(self, block: int, pair: str) -> Fraction | None:
        tokens = [self.ask(block, pair, name, "address").lower() for name in ("token0", "token1")]
        reserves = self.ask(block, pair, "getReserves", "uint112,uint112,uint32")[:2]
        prices = [self.price(block, token) for token in tokens]
        if None in prices:
            return None
        product = Fraction(4 * 10**36)
        for token, reserve, price in zip(tokens, reserves, prices, strict=True):
            product *= Fraction(reserve, 10 ** self.ask(block, token, "decimals", "uint8")) * (price or 0)
        product /= self.ask(block, pair, "totalSupply", "uint256") ** 2
        return Fraction(isqrt(floor_at(product, 108)), 10**54)

    def uniswap_v2(self, block: int) -> list[tuple[str, int]]:
        factory = self.addresses.uniswap_v2.factory
        amounts: list[tuple[str, int]] = []
        for i in range(self.ask(block, factory, "allPairsLength", "uint256")):
            pair = self.ask(block, factory, "allPairs", "address", ("uint256", i))
            reserves = self.ask(block, pair, "getReserves", "uint112,uint112,uint32")
            for name, reserve in zip(("token0", "token1"), reserves, strict=False):
                amounts.append((self.ask(block, pair, name, "address").lower(), reserve))
        return amounts

    def uniswap_v3(self, block: int) -> list[tuple[str, int]]:
        created = self.web3.keccak(text="PoolCreated(address,address,uint24,int24,address)")
        factory = Web3.to_checksum_address(self.addresses.uniswap_v3.factory)
        query = {"address": factory, "fromBlock": 0, "toBlock": block, "topics": [created.to_0x_hex()]}
        amounts: list[tuple[str, int]] = []
        for log in self.web3.eth.get_logs(query):  # type: ignore[arg-type]
            pool = "0x" + log["data"][-20:].hex()
            for name in ("token0", "token1"):
                token = self.ask(block, pool, name, "address").lower()
                amounts.append((token, self.balance(block, token, pool)))
        return amounts

    def aave(self, block: int) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        provider = self.addresses.aave.data_provider
        lent: list[tuple[str, int]] = []
        borrowed: list[tuple[str, int]] = []
        pool = self.addresses.aave.pool
        for token in self.ask(block, pool, "getReservesList", "address[]"):
            a_token, stable, variable = self.ask(
                block, provider, "getReserveTokensAddresses", "address,address,address", ("address", token)
            )
            lent.append((token.lower(), self.balance(block, token, a_token)))
            borrowed += [
                (token.lower(), self.ask(block, debt, "totalSupply", "uint256")) for debt in (stable, variable)
            ]
        return lent, borrowed

    def vaults(self, block: int) -> list[tuple[str, int]]:
        return [
            (
                self.ask(block, v.address, "asset", "address").lower(),
                self.ask(block, v.address, "totalAssets", "uint256"),
            )
            for v in self.addresses.vaults.values()
        ]

    def escrow(self, block: int) -> list[tuple[str, int]]:
        owners = [self.addresses.escrow]
        tokens = [self.addresses.token(symbol) for symbol in FEED_OF]
        native = [(NATIVE, self.web3.eth.get_balance(Web3.to_checksum_address(o), block)) for o in owners]
        return native + [(token, self.balance(block, token, owner)) for owner in owners for token in tokens]

    def lockers(self, block: int) -> list[tuple[str, int]]:
        claims = [*self.addresses.uniswap_v2.pairs.values(), *(v.address for v in self.addresses.vaults.values())]
        return [(token, self.balance(block, token, user)) for user in self.addresses.users for token in claims]

    def balance(self, block: int, token: str, owner: str) -> int:
        return int(self.ask(block, token, "balanceOf", "uint256", ("address", owner)))
