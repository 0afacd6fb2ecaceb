"""Small worlds of the lending kinds: a market is added between the early block and the late one."""

from __future__ import annotations

from typing import Any

from eth_abi import encode
from eth_hash.auto import keccak

from indexer.model import NATIVE, Address, Hash, Status
from indexer.reads.plan import Answer, Call, Failed, Log
from tests.contract.kind_worlds import EARLY, LATE, MARKET, PROVIDER, TOKENS, Case, World, addr, amount, argument, erc20

MARKETS = [addr(0xA10 + i) for i in range(3)]
LISTER = addr(0xA20)
MORPHO = addr(0xA30)
COMETS = [addr(0xA40), addr(0xA41)]
CREATED = Hash("0x" + keccak(b"CreateMarket(bytes32,(address,address,address,address,uint256))").hex())


def listed(number: int) -> tuple[Address, ...]:
    return tuple(MARKETS[: 2 if number < LATE else 3])


def markets_world(number: int) -> World:
    """Every market answers as a cToken, an EVault and a Fraxlend pair; the first one is the chain's own coin's."""
    markets: dict[Address, dict[str, Any]] = {
        market: {
            "underlying": TOKENS[i],
            "asset": TOKENS[i],
            "collateralContract": TOKENS[i + 1],
            "totalBorrows": amount(number, market, "owed"),
            "totalBorrow": (amount(number, market, "owed"), 5),
        }
        for i, market in enumerate(MARKETS)
    }
    everything = listed(number)
    lister = {"getAllMarkets": everything, "getProxyListSlice": everything, "getAllPairAddresses": everything}
    return World({**markets, LISTER: lister}, number)


def comets_world(number: int) -> World:
    """The first comet gets a second collateral."""
    collaterals = {COMETS[0]: TOKENS[1 : 2 if number < LATE else 3], COMETS[1]: TOKENS[2:4]}

    def info(call: Call) -> Answer:
        place, those = argument(call), collaterals[call.target]
        if place >= len(those):
            return Failed(Status.HELD, "reverted")
        return (place, those[place], addr(9), 1, 2, 3, 4, 5)

    comets = {
        comet: {
            "baseToken": TOKENS[0],
            "numAssets": len(collaterals[comet]),
            "getAssetInfo": info,
            "totalBorrow": amount(number, comet, "owed"),
        }
        for comet in COMETS
    }
    return World(comets, number)


def morpho_world(number: int) -> World:
    """Three markets, of which two lend the same token and one has no collateral."""
    pairs = [(TOKENS[0], TOKENS[1]), (TOKENS[0], TOKENS[2]), (TOKENS[3], NATIVE)][: 2 if number < LATE else 3]

    def market(call: Call) -> Answer:
        return 1, 2, amount(number, f"{argument(call)}"), 4, 5, 6

    logs = [market_created(i, *pair) for i, pair in enumerate(pairs)]
    return World({MORPHO: {"owner": addr(7), "market": market}}, number, logs)


def market_created(i: int, loan: Address, collateral: Address) -> Log:
    topics = (CREATED, Hash(f"0x{i + 1:064x}"))
    data = encode(["address", "address", "address", "address", "uint256"], [loan, collateral, addr(8), addr(9), 86])
    created_in = EARLY - 100 + i if i < 2 else LATE - 100
    return Log(MORPHO, topics, data, created_in, Hash("0x" + "1" * 64), Hash("0x" + "2" * 64), i)


def aave_world(number: int) -> World:
    """The first reserve has no stable debt; a third one is listed between the two blocks."""
    assets = TOKENS[: 2 if number < LATE else 3]
    reserves = {
        token: (addr(0xE00 + i), addr(0xE10 + i) if i else NATIVE, addr(0xE20 + i)) for i, token in enumerate(assets)
    }
    nobody = (NATIVE, NATIVE, NATIVE)

    def tokens(call: Call) -> Answer:
        return reserves.get(addr(argument(call)), nobody)

    def struct(call: Call) -> Answer:
        """Aave V3's fifteen fields, or V2's twelve."""
        if "uint128,uint128,uint128)" in repr(call.function):
            return ((0,), 1, 2, 3, 4, 5, 6, 7, *tokens(call), addr(9), 0, 0, 0)
        return ((0,), 1, 2, 3, 4, 5, 6, *tokens(call), addr(9), 7)

    table: dict[Address, dict[str, Any]] = {
        MARKET: {"getReservesList": tuple(assets), "getReserveData": struct},
        PROVIDER: {
            "getAllReservesTokens": tuple((f"T{i}", token) for i, token in enumerate(assets)),
            "getReserveTokensAddresses": tokens,
        },
    }
    debts = [debt for _, *two in reserves.values() for debt in two]
    return World({**table, **{debt: erc20(number) for debt in debts}}, number)


NATIVE_MARKET = {"native": MARKETS[:1]}

LENDING = [
    Case("aave v3 pool", "aave_v3", {"pool": MARKET}, aave_world),
    Case("aave v3 provider", "aave_v3", {"data_provider": PROVIDER}, aave_world),
    Case("aave v2 pool", "aave_v2", {"pool": MARKET}, aave_world),
    Case("aave v2 provider", "aave_v2", {"data_provider": PROVIDER, "exclude": TOKENS[1:2]}, aave_world),
    Case("compound v2", "compound_v2", {"comptroller": LISTER, **NATIVE_MARKET}, markets_world),
    Case("compound v2 markets", "compound_v2", {"markets": MARKETS, **NATIVE_MARKET}, markets_world),
    Case("compound v3", "compound_v3", {"comets": COMETS}, comets_world),
    Case("euler v2", "euler_v2", {"factory": LISTER}, markets_world),
    Case("euler v2 vaults", "euler_v2", {"vaults": MARKETS}, markets_world),
    Case("fraxlend", "fraxlend", {"registry": LISTER}, markets_world),
    Case("fraxlend pairs", "fraxlend", {"pairs": MARKETS}, markets_world),
    Case("morpho blue", "morpho_blue", {"morpho": MORPHO}, morpho_world),
]
