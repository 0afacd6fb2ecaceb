"""A small world for every kind: contracts that answer as the kind's would, at an early block and at a later one.

Between the two, more was created (where the kind has a list of its own) and every amount changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi import encode
from eth_hash.auto import keccak

from indexer.model import NATIVE, Address, BlockRef, Hash, Status
from indexer.reads.plan import Answer, Ask, Call, Failed, Log, LogQuery, NativeBalance
from indexer.testing import Contracts

EARLY, LATE = 1_000, 2_000


def block(number: int) -> BlockRef:
    return BlockRef(number, Hash(f"0x{number:064x}"), Hash(f"0x{number - 1:064x}"), 12 * number)


def addr(n: int) -> Address:
    return Address(f"0x{n:040x}")


TOKENS = [addr(0xA0 + i) for i in range(4)]
OWNERS = [addr(0xB0), addr(0xB1)]
FACTORY, MARKET, PROVIDER = addr(0xF0), addr(0xF1), addr(0xF2)
POOLS = [addr(0xC0 + i) for i in range(5)]
VAULTS = [addr(0xD0), addr(0xD1)]


class World:
    """Contracts of a table, native coins and logs; every question is kept in `asked`."""

    def __init__(self, table: Mapping[Address, Mapping[str, Any]], number: int, logs: list[Log] | None = None) -> None:
        self.contracts = Contracts({**{token: erc20(number) for token in TOKENS}, **table})
        self.number = number
        self.logs = logs or []
        self.asked: list[Ask] = []

    def __call__(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        if isinstance(ask, NativeBalance):
            return amount(self.number, ask.owner)
        if isinstance(ask, LogQuery):
            assert ask.to_block <= self.number
            return [log for log in self.logs if ask.from_block <= log.block_number <= ask.to_block]
        return self.contracts(ask)


@dataclass(frozen=True)
class Case:
    """A kind with parameters, and its world at a block."""

    name: str
    kind: str
    params: Mapping[str, Any]
    world: Callable[[int], World]

    def __str__(self) -> str:
        return self.name


def amount(number: int, *of: str) -> int:
    """Some amount that is another one for every owner, token and block; never 0."""
    return 1 + int.from_bytes(keccak(f"{number}{of}".encode())[:9], "big")


def argument(call: Call) -> int:
    return int.from_bytes(call.data[4:36], "big")


def erc20(number: int) -> dict[str, Any]:
    return {
        "balanceOf": lambda call: amount(number, call.target, addr(argument(call))),
        "totalSupply": lambda call: amount(number, call.target),
    }


def pool_table(number: int, count: int) -> dict[Address, dict[str, Any]]:
    def reserves(call: Call) -> Answer:
        return amount(number, call.target, "0"), amount(number, call.target, "1"), 7

    return {
        pool: {"token0": TOKENS[i % 3], "token1": TOKENS[i % 3 + 1], "getReserves": reserves}
        for i, pool in enumerate(POOLS[:count])
    }


def v2_world(number: int) -> World:
    count = 3 if number < LATE else 5
    factory = {
        **dict.fromkeys(("allPairsLength", "allPoolsLength"), count),
        **dict.fromkeys(("allPairs", "allPools"), lambda call: numbered(argument(call), count)),
    }
    return World({**pool_table(number, count), FACTORY: factory}, number)


def numbered(index: int, count: int) -> Answer:
    return POOLS[index] if index < count else Failed(Status.HELD, "reverted")


def v3_world(number: int) -> World:
    signature = "PoolCreated(address,address,uint24,int24,address)"
    return logged_world(number, {"feeAmountTickSpacing": 60}, signature, 3, lambda i: [*two(i), 500, 10, POOLS[i]])


def algebra_world(number: int) -> World:
    signature = "Pool(address,address,address)"
    return logged_world(number, {"poolDeployer": POOLS[0]}, signature, 2, lambda i: [*two(i), POOLS[i]])


def slipstream_world(number: int) -> World:
    signature = "PoolCreated(address,address,int24,address)"
    return logged_world(number, {"poolImplementation": POOLS[0]}, signature, 3, lambda i: [*two(i), 100, POOLS[i]])


def two(i: int) -> list[Address]:
    return TOKENS[i % 3 : i % 3 + 2]


def logged_world(
    number: int, getters: dict[str, Any], signature: str, indexed: int, values: Callable[[int], list[Any]]
) -> World:
    """Pools that a factory announces by an event whose first values are indexed."""
    count = 3 if number < LATE else 5
    logs = [announced(i, signature, indexed, values(i)) for i in range(count)]
    return World({**pool_table(number, count), FACTORY: getters}, number, logs)


def announced(i: int, signature: str, indexed: int, values: list[Any]) -> Log:
    types = signature.partition("(")[2][:-1].split(",")
    words = [encode([kind], [value]).hex() for kind, value in zip(types[:indexed], values, strict=False)]
    topics = [Hash("0x" + word) for word in (keccak(signature.encode()).hex(), *words)]
    created_in = EARLY - 100 + i if i < 3 else LATE - 100 + i
    data = encode(types[indexed:], values[indexed:])
    return Log(FACTORY, tuple(topics), data, created_in, Hash("0x" + "1" * 64), Hash("0x" + "2" * 64), i)


def vault_world(number: int) -> World:
    vaults = {
        vault: {"asset": TOKENS[i], "totalAssets": amount(number, vault), "totalSupply": 5}
        for i, vault in enumerate(VAULTS)
    }
    return World(vaults, number)


def aave_world(number: int) -> World:
    """The first reserve has no stable debt; a third one is listed between the two blocks."""
    listed = TOKENS[: 2 if number < LATE else 3]
    reserves = {
        token: (addr(0xE00 + i), addr(0xE10 + i) if i else NATIVE, addr(0xE20 + i)) for i, token in enumerate(listed)
    }
    struct = {token: ((0,), 1, 2, 3, 4, 5, 6, i, *reserves[token], addr(9), 0, 0, 0) for i, token in enumerate(listed)}
    nothing = ((0,), *[0] * 7, NATIVE, NATIVE, NATIVE, NATIVE, 0, 0, 0)
    table: dict[Address, dict[str, Any]] = {
        MARKET: {
            "getReservesList": tuple(listed),
            "getReserveData": lambda call: struct.get(addr(argument(call)), nothing),
        },
        PROVIDER: {
            "getAllReservesTokens": tuple((f"T{i}", token) for i, token in enumerate(listed)),
            "getReserveTokensAddresses": lambda call: reserves.get(addr(argument(call)), (NATIVE,) * 3),
        },
    }
    debts = [debt for _, *two in reserves.values() for debt in two]
    return World({**table, **{debt: erc20(number) for debt in debts}}, number)


CASES = [
    Case("balances", "token_balances", {"owners": OWNERS, "tokens": [NATIVE, *TOKENS]}, lambda n: World({}, n)),
    Case("v2 factory", "uniswap_v2", {"factory": FACTORY}, v2_world),
    Case("v2 balances", "uniswap_v2", {"factory": FACTORY, "amounts": "balances"}, v2_world),
    Case("v2 pools of Solidly", "uniswap_v2", {"factory": FACTORY, "listing": "pools"}, v2_world),
    Case("v2 without a token", "uniswap_v2", {"factory": FACTORY, "exclude": [TOKENS[1]]}, v2_world),
    Case("v2 pairs", "uniswap_v2", {"pairs": POOLS[:3]}, v2_world),
    Case("v3 factory", "uniswap_v3", {"factory": FACTORY}, v3_world),
    Case("algebra", "uniswap_v3", {"factory": FACTORY, "events": "algebra"}, algebra_world),
    Case("slipstream", "uniswap_v3", {"factory": FACTORY, "events": "slipstream"}, slipstream_world),
    Case("v3 pools", "uniswap_v3", {"pools": POOLS[:3]}, v3_world),
    Case("vaults", "erc4626", {"vaults": VAULTS}, vault_world),
    Case("vaults held", "erc4626", {"vaults": VAULTS, "amount": "held"}, vault_world),
    Case("aave pool", "aave_v3", {"pool": MARKET}, aave_world),
    Case("aave provider", "aave_v3", {"data_provider": PROVIDER}, aave_world),
]
