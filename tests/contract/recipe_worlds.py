"""Small worlds of `recipe` and of every shipped recipe: something is added between the early block and the late one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi import encode
from eth_hash.auto import keccak

from indexer.model import NATIVE, Address, Hash, Status
from indexer.reads.plan import Answer, Call, Failed, Log
from tests.contract.kind_worlds import EARLY, LATE, POOLS, TOKENS, Case, World, addr, amount, argument

CHEF, LENS, EMITTER, REGISTRY, EULER = (addr(0xB00 + i) for i in range(5))
SOURCES = [addr(0xB10), addr(0xB11)]
VAULTS = [addr(0xB20 + i) for i in range(3)]
STRATEGIES = [addr(0xB30 + i) for i in range(3)]
CURATOR, SOMEBODY = addr(0xB40), addr(0xB41)
PAIR = addr(0xB50)


def now(number: int, items: Sequence[Any]) -> list[Any]:
    """What there is at a block: the last item comes late."""
    return list(items if number >= LATE else items[:-1])


def at_index(items: Sequence[Any]) -> Any:
    """A getter by index, which is the last argument; it reverts beyond the end."""

    def answer(call: Call) -> Answer:
        index = int.from_bytes(call.data[-32:], "big")
        return items[index] if index < len(items) else Failed(Status.HELD, "reverted")

    return answer


def told(of: str) -> Any:
    """A getter of an amount that is another one for every contract and block."""
    return lambda number: lambda call: amount(number, call.target, of)


def log(emitter: Address, event: str, indexed: Sequence[Any], data: bytes, i: int, *, late: bool) -> Log:
    topics = ["0x" + keccak(event.encode()).hex(), *("0x" + word(value) for value in indexed)]
    block = (LATE if late else EARLY) - 100 + i
    return Log(emitter, tuple(map(Hash, topics)), data, block, Hash("0x" + "1" * 64), Hash("0x" + "2" * 64), i)


def word(value: Any) -> str:
    return value.removeprefix("0x").rjust(64, "0") if isinstance(value, str) else f"{value:064x}"


def chef_world(number: int) -> World:
    """Pools of a token, of a pair with the protocol's own token, and later of the own token itself."""
    pools = now(number, [TOKENS[0], PAIR, TOKENS[1]])
    chef = {"poolLength": len(pools), "poolInfo": at_index(pools)}
    pair = {"token0": TOKENS[1], "token1": TOKENS[2], "balanceOf": lambda call: amount(number, call.target, "pair")}
    return World({CHEF: chef, PAIR: pair}, number)


def farm_world(number: int) -> World:
    pools = now(number, [(TOKENS[i], 1, 2, 3, STRATEGIES[i]) for i in range(3)])
    farms = {one: {"wantLockedTotal": told("want")(number)} for one in STRATEGIES}
    return World({CHEF: {"poolLength": len(pools), "poolInfo": at_index(pools)}, **farms}, number)


def whitelist_world(number: int) -> World:
    """The last token stands twice in the list."""
    tokens = [*now(number, TOKENS), TOKENS[0]] if number >= LATE else TOKENS[:2]
    vault = {"allWhitelistedTokensLength": len(tokens), "allWhitelistedTokens": at_index(tokens)}
    return World({CHEF: vault}, number)


PARTS = ",".join(f"((string,{kind})[],(string,{kind}[])[])" for kind in ("address", "uint256", "int256", "bool"))
PARTS += "," + ",".join(f"((string,{kind})[],(string,{kind}[])[])" for kind in ("bytes32", "bytes", "string"))
EVENT_LOG = f"EventLog1(address,string,string,bytes32,({PARTS}))"
MARKET_CREATED = "0x" + keccak(b"MarketCreated").hex()


def gmx_log(i: int, market: Address, long: Address, short: Address) -> Log:
    names = ("marketToken", "indexToken", "longToken", "shortToken")
    items = list(zip(names, (market, addr(5), long, short), strict=True))
    nothing: tuple[Any, Any] = ([], [])
    data = encode(["address", "string", f"({PARTS})"], [addr(9), "MarketCreated", ((items, []), *[nothing] * 6)])
    return log(EMITTER, EVENT_LOG, [MARKET_CREATED, market], data, i, late=i == 2)


def gmx_world(number: int) -> World:
    logs = [gmx_log(i, POOLS[i], TOKENS[i], TOKENS[i + 1]) for i in range(3)]
    return World({}, number, now(number, logs))


def vaults_world(number: int) -> World:
    """Vaults that answer to every getter; they are listed by a registry and by factories."""
    table: dict[Address, dict[str, Any]] = {
        vault: {
            **dict.fromkeys(("asset", "want", "token", "yieldToken", "underlyingToken"), TOKENS[i]),
            **dict.fromkeys(("totalAssets", "balance", "totalSupply", "getTotalPooledEther"), told("all")(number)),
            "creator": CURATOR if i else SOMEBODY,
            "readTokens": (vault, addr(1), addr(2)),
            "tokens": tuple(TOKENS[:2]),
            "held": (tuple(TOKENS[:2]), (amount(number, vault, "a"), amount(number, vault, "b"))),
            "parts": tuple((TOKENS[j], amount(number, vault, str(j))) for j in range(2)),
        }
        for i, vault in enumerate(VAULTS)
    }
    for i, vault in enumerate(VAULTS):
        table[vault] |= {
            "activePool": POOLS[i],
            "defaultPool": POOLS[3],
            "totalCollaterals": 1,
            "getTroveManager": vault,
        }
        table[POOLS[i]] = {"defaultPoolAddress": POOLS[i + 1], "collToken": TOKENS[i]}
    lens = {"totalAssets": lambda call: (TOKENS[1], amount(number, str(argument(call))))}
    vaults = now(number, VAULTS)
    euler = {"getProxyListLength": len(vaults), "proxyList": at_index(vaults)}
    registry = {
        "numTokens": len(vaults),
        "tokens": at_index(TOKENS),
        "numVaults": 1,
        "vaults": lambda call: dict(zip(TOKENS, VAULTS, strict=False)).get(addr(argument(call)), NATIVE),
    }
    storage = {"getAddress": VAULTS[0], "getTotalETHBalance": told("ether")(number)}
    table[VAULTS[0]]["getTotalETHBalance"] = told("ether")(number)
    ilks = {addr(i + 1).removeprefix("0x").rjust(64, "0"): vault for i, vault in enumerate(vaults)}
    registry |= {
        "list": tuple(map(bytes.fromhex, ilks)),
        "join": lambda call: ilks.get(call.data[4:].hex(), NATIVE),
        "gem": TOKENS[2],
    }
    everything = {**table, LENS: lens, EULER: euler, REGISTRY: {**registry, **storage}}
    return World(everything, number)


def announced_world(number: int) -> World:
    """The same vaults, and the logs of those who made them."""
    world = vaults_world(number)
    world.logs = created_logs(number)
    return world


def created_logs(number: int) -> list[Log]:
    names = encode(["address", "uint256", "string", "string", "bytes32"], [CURATOR, 1, "a", "b", b"\1" * 32])
    others = encode(["address", "uint256", "string", "string", "bytes32"], [SOMEBODY, 1, "a", "b", b"\1" * 32])
    morpho = "CreateMetaMorpho(address,address,address,uint256,address,string,string,bytes32)"
    second = "CreateVaultV2(address,address,bytes32,address)"
    market = "CreateNewMarket(address,address,int256,int256,uint256)"
    strategy = "StrategyAddedToDepositWhitelist(address)"
    logs: list[Log] = []
    for i, vault in enumerate(VAULTS):
        late = i == 2
        data = names if i != 1 else others
        logs += [
            log(SOURCES[0], "NewVault(address,address)", [vault, TOKENS[i]], b"", 10 * i, late=late),
            log(SOURCES[0], morpho, [vault, addr(1), TOKENS[i]], data, 10 * i + 1, late=late),
            log(SOURCES[1], second, [CURATOR, TOKENS[i], vault], bytes(32), 10 * i + 2, late=late),
            log(SOURCES[0], market, [vault, addr(3)], bytes(96), 10 * i + 3, late=late),
            log(SOURCES[0], strategy, [], bytes.fromhex(word(vault)), 10 * i + 4, late=late),
        ]
    return [one for one in logs if number >= LATE or one.block_number <= EARLY]


def text(contracts: dict[str, Any], steps: list[dict[str, Any]], *holdings: dict[str, Any]) -> dict[str, Any]:
    return {"contracts": contracts, "steps": steps, "holdings": list(holdings)}


BY_INDEX = text(
    {"chef": CHEF},
    [
        {
            "name": "pool",
            "on": "chef",
            "count": "poolLength()(uint256)",
            "item": "function poolInfo(uint256) view returns (address want, uint256, uint256, uint256, address strat)",
        },
        {"name": "locked", "on": "pool.strat", "get": "wantLockedTotal()(uint256)"},
    ],
    {"token": "pool.want", "amount": "locked", "owner": "pool.strat"},
)
LISTED = text(
    {"vaults": VAULTS},
    [{"name": "token", "on": "vaults", "list": "tokens()(address[])"}],
    {"token": ["token", "native"], "owner": "vaults", "bucket": "treasury"},
)
SIDE_BY_SIDE = text(
    {"vaults": VAULTS},
    [{"name": "part", "on": "vaults", "list": "held()(address[] tokens, uint256[] amounts)"}],
    {"token": "part.tokens", "amount": "part.amounts", "bucket": "borrowed"},
)
TABLES = text(
    {"pairs": [{"vault": VAULTS[0], "token": TOKENS[2]}, {"vault": VAULTS[1], "token": NATIVE}]},
    [{"name": "said", "on": "pairs.vault", "list": "parts()((address token, uint256 amount)[])"}],
    {"token": "pairs.token", "amount": "said.amount"},
)
LOGGED = text(
    {"factory": SOURCES[0]},
    [
        {"name": "made", "on": "factory", "event": "NewVault(address indexed vault, address indexed asset)"},
        {"name": "total", "on": "made.vault", "get": "totalAssets()(uint256)"},
    ],
    {"token": "made.asset", "amount": "total", "receipt": "made.vault"},
)
CURATED = {
    "vaults": VAULTS[:1],
    "morpho_factories": SOURCES[:1],
    "morpho_owners": [CURATOR],
    "morpho_v2_factories": SOURCES[1:],
    "morpho_v2_owners": [CURATOR],
    "euler_factories": [EULER],
    "euler_owners": [CURATOR],
}
PAIRS = [{"contract": VAULTS[0], "token": TOKENS[0]}, {"contract": VAULTS[1], "token": NATIVE}]
SUPPLIES = [{"supply_of": VAULTS[0], "token": TOKENS[0]}, {"supply_of": VAULTS[1], "token": TOKENS[0]}]
TROVES = [{"trove_manager": VAULTS[0], "token": TOKENS[0]}, {"trove_manager": VAULTS[1], "token": NATIVE}]
BORING = [{"vault": vault, "accountant": addr(8), "lens": LENS} for vault in VAULTS]

RECIPES = [
    Case("recipe by index", "recipe", BY_INDEX, farm_world),
    Case("recipe by list", "recipe", LISTED, vaults_world),
    Case("recipe by lists", "recipe", SIDE_BY_SIDE, vaults_world),
    Case("recipe by tables", "recipe", TABLES, vaults_world),
    Case("recipe by event", "recipe", LOGGED, announced_world),
    Case("masterchef", "masterchef", {"chef": CHEF}, chef_world),
    Case("masterchef own", "masterchef", {"chef": CHEF, "own": TOKENS[1:2]}, chef_world),
    Case("masterchef vaults", "masterchef_vaults", {"chef": CHEF}, farm_world),
    Case("gmx v1", "gmx_v1", {"vault": CHEF}, whitelist_world),
    Case("gmx v2", "gmx_v2", {"event_emitter": EMITTER}, gmx_world),
    Case("getter amounts", "getter_amounts", {"amounts": PAIRS, "call": "balance()(uint256)"}, vaults_world),
    Case("getter vaults", "getter_vaults", {"vaults": VAULTS}, vaults_world),
    Case("erc4626 factory", "erc4626_factory", {"factories": SOURCES[:1]}, announced_world),
    Case("yearn v3", "yearn_v3", {"factories": SOURCES[:1], "exclude": VAULTS[:1]}, announced_world),
    Case("yearn v2", "yearn_v2", {"registry": REGISTRY}, vaults_world),
    Case("beefy", "beefy", {"vaults": VAULTS}, vaults_world),
    Case("token supply", "token_supply", {"tokens": VAULTS, "bucket": "own"}, vaults_world),
    Case("token supply as", "token_supply_as", {"tokens": SUPPLIES}, vaults_world),
    Case("curator", "curator", CURATED, announced_world),
    Case("boring vault", "boring_vault", {"vaults": BORING}, vaults_world),
    Case("pendle", "pendle", {"factories": SOURCES[:1]}, announced_world),
    Case("lido", "lido", {"steth": VAULTS[0]}, vaults_world),
    Case("liquity v1", "liquity_v1", {"troves": TROVES}, vaults_world),
    Case("liquity v2", "liquity_v2", {"registries": VAULTS[:2]}, vaults_world),
    Case("maker", "maker", {"registry": REGISTRY}, vaults_world),
    Case("rocket pool", "rocket_pool", {"storage": REGISTRY, "reth": TOKENS[0]}, vaults_world),
    Case("eigenlayer", "eigenlayer", {"strategy_manager": SOURCES[0]}, announced_world),
]
