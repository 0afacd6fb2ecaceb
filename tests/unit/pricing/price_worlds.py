"""A small world for pricing tests: addresses, a block, contracts that answer, and routes to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from indexer.model import Address, BlockRef, Hash, Quote
from indexer.pricing.guards import GuardSettings
from indexer.pricing.router import Route, Router
from indexer.reads.plan import Call
from indexer.testing import Contracts, Table, drive
from indexer.units import from_price

NOW = 1_700_000_000
AT = BlockRef(18_570_000, Hash("0x" + "11" * 32), Hash("0x" + "22" * 32), NOW)


def addr(n: int) -> Address:
    return Address(f"0x{n:040x}")


ETH, DAI, USDC, VAULT, PAIR, STETH = (addr(n) for n in range(1, 7))
ETH_USD, DAI_USD, USDC_USD, STETH_ETH, SEQUENCER = (addr(n) for n in range(101, 106))
UNIT = 10**18


def feed(answer: int, age_s: int = 60, decimals: int = 8, **more: Any) -> dict[str, Any]:
    """What a Chainlink-style proxy answers, `age_s` before the block."""
    updated = NOW - age_s
    return {"latestRoundData": ((1 << 64) | 7, answer, updated, updated, (1 << 64) | 7), "decimals": decimals, **more}


def vault(asset: Address, assets: int, supply: int, decimals: int = 18) -> dict[str, Any]:
    """An ERC-4626 vault that converts in proportion, rounded down."""
    return {
        "asset": asset,
        "decimals": decimals,
        "totalSupply": supply,
        "convertToAssets": lambda call: word(call) * assets // supply if supply else word(call),
    }


def pair(token0: Address, token1: Address, reserve0: int, reserve1: int, supply: int) -> dict[str, Any]:
    return {
        "token0": token0,
        "token1": token1,
        "getReserves": (reserve0, reserve1, NOW % 2**32),
        "totalSupply": supply,
    }


def erc20(decimals: int = 18) -> dict[str, Any]:
    return {"decimals": decimals}


def word(call: Call, index: int = 0) -> int:
    return int.from_bytes(call.data[4 + 32 * index : 36 + 32 * index], "big")


def chainlink(proxy: Address, **more: Any) -> dict[str, Any]:
    return {"kind": "chainlink", "feed": proxy, "heartbeat_s": 3600, "deviation_bps": 50, **more}


def router(
    routes: Mapping[Address, Iterable[Mapping[str, Any]]],
    guards: GuardSettings | None = None,
    sequencer: Address | None = None,
) -> Router:
    return Router({token: [Route.parse(way) for way in ways] for token, ways in routes.items()}, guards, sequencer)


def price(
    routes: Mapping[Address, Iterable[Mapping[str, Any]]],
    contracts: Table,
    token: Address,
    guards: GuardSettings | None = None,
    sequencer: Address | None = None,
) -> Quote:
    """The quote of one token at `AT`."""
    return drive(router(routes, guards, sequencer).plan([token], AT), Contracts(contracts))[token]


def usd(quote: Quote) -> Fraction:
    """The price of a quote that has one."""
    assert quote.price is not None, quote.reason
    return from_price(quote.price)
