"""ERC-4626 vaults -> the assets that each vault answers for, or holds.

The asset is asked at every block: a vault that changes it gets a new line, and nothing is carried over.
https://eips.ethereum.org/EIPS/eip-4626
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from indexer.adapters.base import Adapter, Params
from indexer.adapters.parts import Addresses, ask_groups, balance_of, holding, token_in, unidentified
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Failed, Plan


class Erc4626Params(Params):
    """A list of vaults."""

    vaults: Addresses = Field(min_length=1)
    """The vaults: each is also the token of its shares."""
    amount: Literal["accounting", "held"] = "accounting"
    """`accounting`: `totalAssets()`, with what the vault lent on. `held`: the balance of the asset in the vault."""


class Erc4626(Adapter[Erc4626Params]):
    """`totalAssets()` is the vault's own word; `held` is what can be seen in it, and misses what it invested."""

    kind = "erc4626"
    version = 1
    counts = "The assets under each vault's management, by its own accounting (or what lies in the vault)."
    params = Erc4626Params

    def read(self, params: Erc4626Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        assets, amounts = yield from _accounts(params.vaults)
        if params.amount == "held":
            amounts = yield from _held(assets)
        return [_holding(vault, asset, amounts[vault]) for vault, asset in assets.items()]


def _accounts(vaults: Sequence[Address]) -> Plan[tuple[dict[Address, Address | Failed], dict[Address, Answer]]]:
    """Each vault's asset and total assets, in one round."""
    contract = interface("erc4626")
    answers = yield from ask_groups((contract.asset(vault), contract.totalAssets(vault)) for vault in vaults)
    assets = {vault: token_in(asset) for vault, (asset, _) in zip(vaults, answers, strict=True)}
    return assets, {vault: total for vault, (_, total) in zip(vaults, answers, strict=True)}


def _held(assets: dict[Address, Address | Failed]) -> Plan[dict[Address, Answer]]:
    """What each vault holds of its asset, in one round; of no known asset, why."""
    groups = [[] if isinstance(asset, Failed) else [balance_of(asset, vault)] for vault, asset in assets.items()]
    answers = yield from ask_groups(groups)
    return {vault: (*answer, asset)[0] for (vault, asset), answer in zip(assets.items(), answers, strict=True)}


def _holding(vault: Address, asset: Address | Failed, amount: Answer) -> Holding:
    if isinstance(asset, Failed):
        return unidentified(vault, asset)
    return holding(asset, vault, amount, receipt=vault)
