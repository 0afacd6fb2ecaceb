"""A small world for every kind: contracts that answer as the kind's would, at an early block and at a later one.

Between the two, more was created (where the kind has a list of its own) and every amount changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi import encode
from eth_hash.auto import keccak

from indexer.adapters.curve import ETHER
from indexer.model import NATIVE, Address, BlockRef, Hash, Status
from indexer.reads.plan import Answer, Ask, Call, Failed, Log, LogQuery, NativeBalance
from indexer.reads.types import split_types
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
            return [log for log in self.logs if answers(log, ask)]
        return self.contracts(ask)


def answers(log: Log, ask: LogQuery) -> bool:
    """Whether a node would give the log for this query."""
    wanted = zip(ask.topics, log.topics, strict=False)
    in_range = ask.from_block <= log.block_number <= ask.to_block and len(ask.topics) <= len(log.topics)
    return in_range and log.address in ask.addresses and all(one is None or topic in one for one, topic in wanted)


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
    number: int,
    getters: dict[str, Any],
    signature: str,
    indexed: int,
    values: Callable[[int], list[Any]],
    pools: Mapping[Address, Mapping[str, Any]] | None = None,
) -> World:
    """Pools that a factory announces by an event whose first values are indexed."""
    count = 3 if number < LATE else 5
    logs = [announced(i, signature, indexed, values(i)) for i in range(count)]
    return World({**(pools or pool_table(number, count)), FACTORY: getters}, number, logs)


def announced(i: int, signature: str, indexed: int, values: list[Any]) -> Log:
    types = list(split_types(signature.partition("(")[2][:-1]))
    words = [encode([kind], [value]).hex() for kind, value in zip(types[:indexed], values, strict=False)]
    topics = [Hash("0x" + word) for word in (keccak(signature.encode()).hex(), *words)]
    created_in = EARLY - 100 + i if i < 3 else LATE - 100 + i
    data = encode(types[indexed:], values[indexed:]) if values[indexed:] else b""
    return Log(FACTORY, tuple(topics), data, created_in, Hash("0x" + "1" * 64), Hash("0x" + "2" * 64), i)


def lb_world(number: int) -> World:
    """Both versions' names for the same answers."""
    count = 3 if number < LATE else 5

    def reserves(call: Call) -> Answer:
        return amount(number, call.target, "x"), amount(number, call.target, "y")

    pairs = {
        pair: {
            **dict.fromkeys(("getTokenX", "tokenX"), TOKENS[i % 3]),
            **dict.fromkeys(("getTokenY", "tokenY"), TOKENS[i % 3 + 1]),
            "getReserves": reserves,
            "getReservesAndId": lambda call: (*reserves(call), 8_388_608),
        }
        for i, pair in enumerate(POOLS[:count])
    }
    item = dict.fromkeys(("getLBPairAtIndex", "allLBPairs"), lambda call: numbered(argument(call), count))
    return World({**pairs, FACTORY: {"getNumberOfLBPairs": count, **item}}, number)


def izi_world(number: int) -> World:
    """Pools of the numbers 1 to 3, then 5."""
    count = 3 if number < LATE else 5

    def meta(call: Call) -> Answer:
        i = argument(call) - 1
        return (*two(i), 3_000 + i) if 0 <= i < count else (NATIVE, NATIVE, 0)

    def pool(call: Call) -> Answer:
        fee = int.from_bytes(call.data[68:100], "big")
        return POOLS[fee - 3_000] if 0 <= fee - 3_000 < count else NATIVE

    return World({FACTORY: {"poolMetas": meta, "pool": pool}}, number)


def curve_world(number: int) -> World:
    """Pools of ether and two tokens. The registry pads its lists with zeros to eight."""
    count = 3 if number < LATE else 5

    def coins(pool: Address) -> list[Address]:
        return [ETHER, *two(POOLS.index(pool))]

    def balances(pool: Address) -> list[int]:
        return [amount(number, pool, coin) for coin in coins(pool)]

    def at(many: Callable[[Address], list[Any]]) -> Callable[[Call], Answer]:
        return lambda call: many(call.target)[i] if (i := argument(call)) < 3 else Failed(Status.HELD, "reverted")

    def padded(many: Callable[[Address], list[Any]]) -> Callable[[Call], Answer]:
        def answer(call: Call) -> Answer:
            pool = addr(argument(call))
            told = [*many(pool), *[0] * 5] if pool in POOLS else [0] * 8
            return b"".join(int(str(item), 0).to_bytes(32, "big") for item in told)

        return answer

    pools = {pool: {"coins": at(coins), "balances": at(balances)} for pool in POOLS[:count]}
    registry = {
        "pool_count": count,
        "pool_list": lambda call: numbered(argument(call), count),
        "get_coins": padded(coins),
        "get_balances": padded(balances),
        "get_lp_token": OWNERS[0],
    }
    return World({**pools, FACTORY: registry}, number)


def balancer_v1_world(number: int) -> World:
    pools = {
        pool: {
            "getCurrentTokens": tuple(two(i)),
            "getBalance": lambda call: amount(number, call.target, addr(argument(call))),
        }
        for i, pool in enumerate(POOLS)
    }
    getters = {"isBPool": False}
    return logged_world(number, getters, "LOG_NEW_POOL(address,address)", 2, lambda i: [OWNERS[0], POOLS[i]], pools)


def balancer_v2_world(number: int) -> World:
    """Every pool's own share is among its tokens."""

    def told(call: Call) -> Answer:
        pool = addr(argument(call) >> 96)
        tokens = (*two(POOLS.index(pool)), pool)
        return tokens, tuple(amount(number, pool, token) for token in tokens), number

    signature = "PoolRegistered(bytes32,address,uint8)"
    return logged_world(
        number, {"getPoolTokens": told, "WETH": TOKENS[0]}, signature, 2, lambda i: [pool_id(POOLS[i]), POOLS[i], 2]
    )


def pool_id(pool: Address) -> bytes:
    return bytes.fromhex(pool[2:]).ljust(32, b"\7")


def balancer_v3_world(number: int) -> World:
    def told(call: Call) -> Answer:
        pool = addr(argument(call))
        tokens = tuple(two(POOLS.index(pool)))
        amounts = tuple(amount(number, pool, token) for token in tokens)
        return tokens, ((0, NATIVE, False),) * 2, amounts, (1, 1)

    settings = "(address,uint8,address,bool)[],uint256,uint32,(address,address,address)"
    hooks = f"({'bool,' * 10}address),(bool,bool,bool,bool)"
    getters = {"getPoolTokenInfo": told, "getVaultExtension": POOLS[0]}
    signature = f"PoolRegistered(address,address,{settings},{hooks})"
    return logged_world(number, getters, signature, 2, lambda i: [POOLS[i], OWNERS[0]])


def v4_world(number: int) -> World:
    """Ether against each token in turn."""
    signature = "Initialize(bytes32,address,address,uint24,int24,address,uint160,int24)"
    return logged_world(
        number,
        {"protocolFeeController": OWNERS[0]},
        signature,
        3,
        lambda i: [bytes([i]) * 32, NATIVE, TOKENS[i % 4], 500, 10, NATIVE, 2**96, 0],
    )


def vault_world(number: int) -> World:
    vaults = {
        vault: {"asset": TOKENS[i], "totalAssets": amount(number, vault), "totalSupply": 5}
        for i, vault in enumerate(VAULTS)
    }
    return World(vaults, number)


POOL_IDS = [f"0x{pool_id(pool).hex()}" for pool in POOLS]

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
    Case("liquidity book", "trader_joe_lb", {"factory": FACTORY}, lb_world),
    Case("liquidity book 2.0", "trader_joe_lb", {"factory": FACTORY, "version": "2.0"}, lb_world),
    Case("liquidity book pairs", "trader_joe_lb", {"pairs": POOLS[:3]}, lb_world),
    Case("iziswap", "iziswap", {"liquidity_manager": FACTORY}, izi_world),
    Case("curve", "curve", {"factory": FACTORY}, curve_world),
    Case("curve pools", "curve", {"pools": POOLS[:3]}, curve_world),
    Case("balancer v1", "balancer_v1", {"factory": FACTORY}, balancer_v1_world),
    Case("balancer v1 pools", "balancer_v1", {"pools": POOLS[:3]}, balancer_v1_world),
    Case("balancer v2", "balancer_v2", {"vault": FACTORY}, balancer_v2_world),
    Case("balancer v2 pools", "balancer_v2", {"vault": FACTORY, "pools": POOL_IDS[:3]}, balancer_v2_world),
    Case("balancer v3", "balancer_v3", {"vault": FACTORY}, balancer_v3_world),
    Case("balancer v3 pools", "balancer_v3", {"vault": FACTORY, "pools": POOLS[:3]}, balancer_v3_world),
    Case("uniswap v4", "uniswap_v4", {"pool_manager": FACTORY}, v4_world),
    Case("uniswap v4 ether", "uniswap_v4", {"pool_manager": FACTORY, "currencies": [NATIVE, TOKENS[0]]}, v4_world),
    Case("vaults", "erc4626", {"vaults": VAULTS}, vault_world),
    Case("vaults held", "erc4626", {"vaults": VAULTS, "amount": "held"}, vault_world),
]
