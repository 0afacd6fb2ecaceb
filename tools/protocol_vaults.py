"""Rows of the registry that are farms, vaults, funds, curators and perpetuals -> deployments of our kinds."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from indexer.model import Address
from tools.protocol_parts import Reading, base_only, bucket_of, excluded, filled, first_block, listed, some
from tools.protocol_rows import DATA, LeftOut, Row, as_address

KNOWN_CODE = ("masterchef",)
"""Kinds of rows with a function in their parameters that say by themselves what it must give."""

ONLY_AN_ADDRESS = re.compile(r"[^)]*\)[^(]*\(\s*address\s*\w*\s*\)")
"""A signature whose only output is an address."""

FACTORIES = {
    "morpho": "morpho_factories",
    "morpho_v2": "morpho_v2_factories",
    "euler": "euler_factories",
}
"""Protocols of `curators.csv`, and where a curator's parameters name their factories."""

VAULT_LISTS = ("morpho_vaults", "euler_vaults", "erc4626_vaults")
"""A curator's vaults by address: all of them are vaults of ERC-4626."""


def _masterchef(row: Row) -> list[Reading]:
    """Base, staking and pool2 of a chef are one deployment, which tells them apart by the protocol's own tokens.

    Where a function of the row picks the token from an answer that is one address, there is nothing to pick.
    """
    told = row.params.get("pool_info_abi")
    if row.code and not (told and ONLY_AN_ADDRESS.fullmatch(told)):
        raise LeftOut("a part of the calculation is code, which the registry does not hold")
    if row.params.get("pool_length_abi"):
        raise LeftOut("a farm with functions of its own")
    params = {"chef": row.address("masterchef")} | _pool_info(told) | _own(row)
    return [Reading("masterchef", params, first_block(row))]


def _pool_info(told: str | None) -> dict[str, str]:
    """The signature of the pool's getter, if its first output is the token. Raises LeftOut."""
    if not told:
        return {}
    if not re.match(r"[^)]*\)[^(]*\(\s*address\b", told):
        raise LeftOut("a farm with functions of its own")
    return {"pool_info": told}


def _masterchef_vaults(row: Row) -> list[Reading]:
    abis = row.params.get("abis") or {}
    if abis.keys() - {"poolInfo", "poolLength", "getReservesABI"}:
        raise LeftOut("a farm with functions of its own")
    params = {"chef": row.address("masterchef")} | _want_and_strategy(abis.get("poolInfo")) | _own(row)
    return [Reading("masterchef_vaults", params, first_block(row))]


def _want_and_strategy(told: str | None) -> dict[str, str]:
    if not told:
        return {}
    named = re.sub(r"\baddress (lpToken)\b", "address want", re.sub(r"\baddress strategy\b", "address strat", told))
    if not all(re.search(rf"\baddress {name}\b", named) for name in ("want", "strat")):
        raise LeftOut("a farm with functions of its own")
    return {"pool_info": named}


def _own(row: Row) -> dict[str, list[Address]]:
    left = excluded(row.addresses("blacklisted_tokens"))
    return some("own", row.addresses("native_tokens")) | left


def _vaults(row: Row) -> list[Reading]:
    """Vaults with the functions of ERC-4626, or with two of their own."""
    asset, total = (str(row.params.get(key)).rpartition(":")[2] for key in ("token_fn", "amount_fn"))
    vaults = filled(row.addresses("vaults"))
    if (asset, total) == ("asset", "totalAssets") and bucket_of(row) == "base":
        return [Reading("erc4626", {"vaults": vaults}, first_block(row))]
    functions = {"asset": f"{asset}()(address)", "total": f"{total}()(uint256)"}
    return [Reading("getter_vaults", {"vaults": vaults} | functions | _bucket(row), first_block(row))]


def _scalar(row: Row) -> list[Reading]:
    """One function of one or more contracts, whose answers are amounts of the tokens beside them."""
    targets, tokens = list(map(as_address, row.params["targets"])), list(map(as_address, row.params["counted_as"]))
    amounts = [{"contract": target, "token": token} for target, token in _beside(targets, tokens)]
    call = row.params["sig"].replace(" returns ", "")
    return [Reading("getter_amounts", {"amounts": amounts, "call": call} | _bucket(row), first_block(row))]


def _supply(row: Row) -> list[Reading]:
    tokens = filled(row.addresses("tokens"))
    if row.params["counted_as"] == "self":
        return [Reading("token_supply", {"tokens": tokens} | _bucket(row), first_block(row))]
    counted = list(map(as_address, row.params["counted_as"]))
    pairs = [{"supply_of": token, "token": other} for token, other in _beside(tokens, counted)]
    return [Reading("token_supply_as", {"tokens": pairs} | _bucket(row), first_block(row))]


def _beside(targets: list[Address], tokens: list[Address]) -> list[tuple[Address, Address]]:
    """Which contract answers in which token. Raises LeftOut where it is not sure."""
    if len(tokens) == 1:
        return [(target, tokens[0]) for target in targets]
    if len(tokens) != len(targets):
        raise LeftOut("which contract answers in which token is not in the registry")
    return list(zip(targets, tokens, strict=True))


def _curator(row: Row) -> list[Reading]:
    """Vaults by address, or those that a curator made with the factories of Morpho and Euler on the chain."""
    params = row.params
    others = params.keys() - {
        "morpho_vaults",
        "euler_vaults",
        "erc4626_vaults",
        "morpho_vault_owners",
        "euler_vault_owners",
    }
    if others or not params:
        raise LeftOut("a curator's vaults of other makers")
    vaults = [one for key in ("morpho_vaults", "euler_vaults", "erc4626_vaults") for one in row.addresses(key)]
    morpho, euler = row.addresses("morpho_vault_owners"), row.addresses("euler_vault_owners")
    if not morpho and not euler:
        return [Reading("erc4626", {"vaults": filled(listed(vaults))}, base_only(row))]
    made = _makers(row.chain_id, "morpho", morpho) | _makers(row.chain_id, "morpho_v2", morpho)
    made |= _makers(row.chain_id, "euler", euler)
    if not made:
        raise LeftOut("a curator's vaults of other makers")
    blocks = [block for protocol, _, block in _factories(row.chain_id) if block and FACTORIES[protocol] in made]
    return [Reading("curator", some("vaults", vaults) | made, min(blocks, default=0))]


def _makers(chain_id: int, protocol: str, owners: list[Address]) -> dict[str, list[Address]]:
    """The factories of a protocol on a chain, and whose vaults of them count."""
    made = [factory for name, factory, _ in _factories(chain_id) if name == protocol]
    return {FACTORIES[protocol]: made, f"{protocol}_owners": owners} if made and owners else {}


@cache
def _factories(chain_id: int) -> list[tuple[str, Address, int]]:
    """Protocol, address and first block of each factory of a chain."""
    with (DATA / "curators.csv").open(encoding="utf-8", newline="") as lines:
        return [
            (row["protocol"], as_address(row["factory"]), int(row["first_block"]))
            for row in csv.DictReader(lines, strict=True)
            if int(row["chain_id"]) == chain_id
        ]


def _boring(row: Row) -> list[Reading]:
    if row.params.keys() != {"vaults"}:
        raise LeftOut("vaults of an older make")
    vaults = [
        {
            "vault": as_address(one.get("vault") or one.get("id")),
            "accountant": as_address(one.get("accountant")),
            "lens": as_address(one.get("lens")),
        }
        for one in row.params["vaults"]
    ]
    blocks = [one.get("startBlock") or 0 for one in row.params["vaults"]]
    return [Reading("boring_vault", {"vaults": vaults}, min(blocks))]


def _by(kind: str, key: str) -> Callable[[Row], list[Reading]]:
    """A kind whose parameter is one contract, under the registry's name for it."""

    def read(row: Row) -> list[Reading]:
        left = excluded(row.addresses("blacklisted_tokens"))
        return [Reading(kind, {key: row.address(key)} | left, base_only(row))]

    return read


def _bucket(row: Row) -> dict[str, Any]:
    return {} if bucket_of(row) == "base" else {"bucket": bucket_of(row)}


KINDS: Mapping[str, Callable[[Row], list[Any]]] = {
    "masterchef": _masterchef,
    "masterchef_vaults": _masterchef_vaults,
    "erc4626": _vaults,
    "vault_token_balance": _vaults,
    "scalar_call": _scalar,
    "token_supply": _supply,
    "curator": _curator,
    "boring_vault": _boring,
    "gmx_v1": _by("gmx_v1", "vault"),
    "gmx_v2": _by("gmx_v2", "event_emitter"),
}
"""Kinds of the registry that one of ours reads."""
