"""Rows of the registry -> deployments of our kinds: one small function for each kind of the registry.

A function says which of our kinds reads the same contracts, and with which parameters; or raises LeftOut with the
reason why none does. Whether the program already has that kind is asked later: a kind that comes into the program
brings its rows with it by running `python -m tools.protocol_catalog` again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from indexer.config.load import catalog
from indexer.model import NATIVE, Address
from tools import protocol_recipes as recipes
from tools import protocol_vaults as vaults
from tools.protocol_parts import (
    PRICED,
    Params,
    Reading,
    base_only,
    bucket_of,
    excluded,
    filled,
    first_block,
    listed,
    some,
)
from tools.protocol_rows import GAS_TOKEN, LeftOut, Row, as_address

POOLS_AS_NAMES = ("uint256:allPoolsLength", "allPools")


def readings(row: Row) -> Sequence[Reading]:
    """How a row is read; several readings are the row together. Raises LeftOut."""
    if row.code and row.kind not in vaults.KNOWN_CODE:
        raise LeftOut("a part of the calculation is code, which the registry does not hold")
    if row.kind not in KINDS:
        raise LeftOut("no kind reads it: its calls have no common shape")
    return KINDS[row.kind](row)


def _balances(row: Row) -> list[Reading]:
    """Owners and tokens, or pairs of them; LP tokens are counted as the tokens they are."""
    _refuse_options(row)
    exclude = {*row.addresses("blacklisted_tokens")}
    pairs = [[as_address(owner), _token(token)] for token, owner in _pairs(row)]
    tokens = [token for token in map(_token, row.addresses("tokens")) if token not in exclude]
    held = {"pairs": [pair for pair in pairs if pair[1] not in exclude]} if pairs else {"tokens": tokens}
    if pairs and tokens:
        raise LeftOut("lists of owners and of pairs in one row")
    return _held(row, bucket_of(row), _owners(row, pairs) | _once(held))


def _discovered(row: Row) -> list[Reading]:
    """Owners whose tokens the registry learns from a web service: here, the tokens that can be priced at all."""
    _refuse_options(row)
    owners = [*row.addresses("owners"), *(as_address(owner) for _, owner in _pairs(row))]
    exclude = row.addresses("blacklisted_tokens")
    return _held(row, bucket_of(row), {"owners": listed(owners), "tokens": PRICED} | excluded(exclude))


def _treasury(row: Row) -> list[Reading]:
    """A protocol's own tokens in their bucket, all else in the treasury's."""
    _refuse_options(row)
    own = row.addresses("own_tokens")
    if row.bucket == "ownTokens":
        owners = [*row.addresses("owners"), *row.addresses("own_token_owners")]
        return _held(row, "own", {"owners": listed(owners), "tokens": filled(own)})
    exclude = [*own, *row.addresses("blacklisted_tokens")]
    tokens = listed([token for token in map(_token, row.addresses("tokens")) if token not in exclude])
    given = {"tokens": tokens} if tokens else {"tokens": PRICED} | excluded(exclude)
    return _held(row, "treasury", {"owners": filled(row.addresses("owners"))} | given)


def _uniswap_v2(row: Row) -> list[Reading]:
    params: dict[str, Any] = {"factory": row.address("factory")}
    if row.params.get("fetch_balances"):
        params["amounts"] = "balances"
    if _lists_pools(row.params.get("abis") or {}):
        params["listing"] = "pools"
    return [_pools(row, "uniswap_v2", params)]


def _uniswap_v3(events: str) -> Callable[[Row], list[Reading]]:
    def read(row: Row) -> list[Reading]:
        other = {} if events == "uniswap_v3" else {"events": events}
        return [_pools(row, "uniswap_v3", {"factory": row.address("factory")} | other)]

    return read


def _by_one_contract(kind: str, key: str) -> Callable[[Row], list[Reading]]:
    """Kinds whose only parameter is a contract of the same name, beside what is left out on purpose."""

    def read(row: Row) -> list[Reading]:
        return [_pools(row, kind, {key: row.address(key)})]

    return read


def _trader_joe_lb(row: Row) -> list[Reading]:
    return [
        _pools(row, "trader_joe_lb", {"factory": as_address(item.get("factory"))} | _version(item), item)
        for item in row.params["factories"]
    ]


def _version(item: Params) -> dict[str, str]:
    return {"version": "2.0"} if item.get("is_lb_v2_0") else {}


def _iziswap(row: Row) -> list[Reading]:
    return [_pools(row, "iziswap", {"liquidity_manager": one}) for one in row.addresses("pool_helpers")]


def _aave_v3(row: Row) -> list[Reading]:
    """Lenders that the registry leaves out as counted elsewhere are not: their receipts show the overlap."""
    return [_market(row, "aave_v3", {"data_provider": one}) for one in row.addresses("pool_data_providers")]


def _aave_registry(row: Row) -> list[Reading]:
    """The data providers where they are named, as the registry prefers them; else the contract that lists them."""
    kind = "aave_v3" if row.params.get("v3") else "aave_v2"
    helpers = row.addresses("data_helpers")
    if helpers:
        return [_market(row, kind, {"data_provider": one}) for one in helpers]
    return [_market(row, kind, {"registry": row.address("addresses_provider_registry")})]


def _aave_pool(row: Row) -> list[Reading]:
    kind = "aave_v3" if row.params.get("is_v3_fork") else "aave_v2"
    return [_market(row, kind, {"pool": row.address("lending_pool")})]


def _compound_v2(row: Row) -> list[Reading]:
    """A comptroller; one whose fork renamed its functions is a recipe of the same steps."""
    abis = row.params.get("abis") or {}
    if abis and not row.params.get("cether"):
        return [_renamed_compound(row, {key: str(told).rpartition(":")[2] for key, told in abis.items()})]
    if abis or not _is_coin(row.params.get("cether_equivalent"), row):
        raise LeftOut("a fork of Compound V2 with functions of its own")
    native = row.params.get("cether") or ()
    listed = [as_address(one) for one in ([native] if isinstance(native, str) else native)]
    return [_market(row, "compound_v2", {"comptroller": row.address("comptroller")} | some("native", listed))]


def _renamed_compound(row: Row, names: Mapping[str, str]) -> Reading:
    """The markets of a comptroller; one that names the zero address is of the native coin."""
    if names.keys() - {"getAllMarkets", "totalBorrows"}:
        raise LeftOut("a fork of Compound V2 with functions of its own")
    markets, borrowed = names.get("getAllMarkets", "getAllMarkets"), names.get("totalBorrows", "totalBorrows")
    steps = [
        {"name": "market", "on": "comptroller", "list": f"{markets}()(address[])"},
        {"name": "asset", "on": "market", "get": "underlying()(address)"},
        {"name": "debt", "on": "market", "get": f"{borrowed}()(uint256)"},
    ]
    holdings = [
        {"token": "asset", "owner": "market", "receipt": "market", "zero_is_native": True},
        {"token": "asset", "amount": "debt", "bucket": "borrowed", "zero_is_native": True},
    ]
    contracts = {"comptroller": row.address("comptroller")}
    return _market(row, "recipe", {"contracts": contracts, "steps": steps, "holdings": holdings})


def _is_coin(token: Any, row: Row) -> bool:
    """Whether a token stands for the chain's own coin: none, the zero address, or the wrapped coin."""
    chains = [chain for chain in catalog("chains").values() if chain["chain_id"] == row.chain_id]
    wrapped = [str(chain["native"].get("wrapped", NATIVE)).lower() for chain in chains]
    return token is None or as_address(token) in (NATIVE, *wrapped)


def _compound_v3(row: Row) -> list[Reading]:
    return [_market(row, "compound_v3", {"comets": row.addresses("comets")})]


def _fraxlend(row: Row) -> list[Reading]:
    return [_market(row, "fraxlend", {"registry": row.address("registry")})]


def _market(row: Row, kind: str, params: Params) -> Reading:
    """A lending market: one deployment is base and borrowed, which the registry has as two rows."""
    if row.bucket not in ("tvl", "borrowed"):
        raise LeftOut(f"a market that is counted as {row.bucket}")
    return Reading(kind, {**params, **excluded(row.addresses("blacklisted_tokens"))}, first_block(row))


def _pools(row: Row, kind: str, params: Params, item: Params | None = None) -> Reading:
    """Pools: base only; what the registry leaves out is left out here."""
    block = base_only(row)
    given = item or row.params
    left = [*(given.get("blacklisted_tokens") or ()), *(given.get("blacklisted_pools") or ())]
    return Reading(kind, {**params, **excluded([as_address(one) for one in left])}, block)


def _held(row: Row, bucket: str, params: Params) -> list[Reading]:
    return [Reading("token_balances", {**params, **({} if bucket == "base" else {"bucket": bucket})}, first_block(row))]


def _owners(row: Row, pairs: Sequence[Sequence[Address]]) -> dict[str, list[Address]]:
    return {} if pairs else {"owners": filled(row.addresses("owners"))}


def _once(held: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        key: [list(item) for item in dict.fromkeys(map(tuple, items))] if key == "pairs" else filled(items)
        for key, items in held.items()
    }


def _pairs(row: Row) -> list[tuple[Any, Any]]:
    """Tokens and owners that belong together. Raises LeftOut."""
    pairs = row.params.get("tokens_and_owners") or ()
    if any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
        raise LeftOut("malformed address")
    return [(token, owner) for token, owner in pairs]


def _token(token: Any) -> Address:
    address = as_address(token)
    return NATIVE if address == GAS_TOKEN else address


def _refuse_options(row: Row) -> None:
    """Raises LeftOut for what a balance does not show."""
    told = " ".join([*row.params.get("options", ()), *row.params])
    if "nft" in told:
        raise LeftOut("positions of its owners are NFTs, which balances do not show")
    if "only_lps" in told or "vlcvx" in told:
        raise LeftOut("an option of the registry that no parameter says")


def _lists_pools(abis: Params) -> bool:
    """Whether a factory calls its pairs pools. Raises LeftOut for other functions still."""
    if str(abis.get("allPairsLength")) == POOLS_AS_NAMES[0] or POOLS_AS_NAMES[1] in str(abis.get("allPairs")):
        return True
    if set(abis) - {"getReserves"}:
        raise LeftOut("a factory with functions of its own")
    return False


KINDS: Mapping[str, Callable[[Row], list[Reading]]] = {
    "sum_tokens": _balances,
    "single_asset_staking": _balances,
    "pool2_lp": _balances,
    "sum_tokens_api_discovery": _discovered,
    "treasury": _treasury,
    "uniswap_v2": _uniswap_v2,
    "uniswap_v2_stable": _uniswap_v2,
    "uniswap_v3": _uniswap_v3("uniswap_v3"),
    "algebra": _uniswap_v3("algebra"),
    "slipstream_cl": _uniswap_v3("slipstream"),
    "balancer_v1": _by_one_contract("balancer_v1", "factory"),
    "balancer_v2": _by_one_contract("balancer_v2", "vault"),
    "balancer_v3": _by_one_contract("balancer_v3", "vault"),
    "trader_joe_lb": _trader_joe_lb,
    "iziswap": _iziswap,
    "aave_v3": _aave_v3,
    "aave_v2_registry": _aave_registry,
    "aave_v2_pool": _aave_pool,
    "compound_v2": _compound_v2,
    "compound_v3": _compound_v3,
    "fraxlend": _fraxlend,
    **recipes.KINDS,
    **vaults.KINDS,
}
"""Kinds of the registry that one of ours reads."""
