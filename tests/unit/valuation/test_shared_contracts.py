"""One contract under two deployments is seen in the configuration."""

from __future__ import annotations

from typing import Any

from indexer.valuation.shared import Listing, shared_contracts
from tests.unit.valuation.stocks import address

VAULT, OTHER, DAI, USDC = (address(name) for name in ("vault", "other", "dai", "usdc"))


def listing(key: str, chain: str = "ethereum", **params: Any) -> Listing:
    return Listing(key, chain, params)


def pairs(*listings: Listing) -> list[tuple[str, ...]]:
    return [(one.contract, *one.deployments) for one in shared_contracts(listings)]


def test_a_vault_that_is_also_an_owner_of_balances_is_shared() -> None:
    found = shared_contracts(
        [listing("b", owners=[VAULT], tokens=[DAI]), listing("a", vaults=[OTHER, VAULT.upper().replace("X", "x")])]
    )
    assert [str(one) for one in found] == [f"a and b count what {VAULT} holds"]


def test_balances_of_other_tokens_are_not_shared() -> None:
    a, b = listing("a", owners=[VAULT], tokens=[DAI]), listing("b", owners=[VAULT], tokens=[USDC])
    assert pairs(a, b) == []
    assert pairs(a, listing("c", owners=[VAULT], tokens=[DAI, USDC])) == [(VAULT, "a", "c")]


def test_tokens_and_receipts_are_not_contracts_that_hold() -> None:
    assert (
        pairs(
            listing("a", owners=[VAULT], tokens=[DAI], receipt=USDC),
            listing("b", owners=[OTHER], tokens=[DAI], receipt=USDC),
        )
        == []
    )


def test_the_same_address_on_another_chain_is_another_contract() -> None:
    assert pairs(listing("a", vaults=[VAULT]), listing("b", "base", vaults=[VAULT])) == []


def test_all_three_are_told_and_the_zero_address_never() -> None:
    three = [listing(name, factory=VAULT, treasury="0x" + "0" * 40) for name in "abc"]
    assert pairs(*three) == [(VAULT, "a", "b", "c")]


def test_nested_parameters_are_looked_into() -> None:
    assert pairs(listing("a", pools=[{"pool": VAULT, "tokens": [DAI]}]), listing("b", pool=VAULT)) == [
        (VAULT, "a", "b")
    ]


def test_one_of_a_group_that_counts_other_tokens_is_not_named() -> None:
    a, b = (listing(name, owners=[VAULT], tokens=[DAI]) for name in "ab")
    assert pairs(a, b, listing("c", owners=[VAULT], tokens=[USDC])) == [(VAULT, "a", "b")]


def test_a_long_list_is_cut_in_the_sentence() -> None:
    (one,) = shared_contracts([listing(name, factory=VAULT) for name in "abcdefgh"])
    assert str(one) == f"a and b and c and d and e and 3 more count what {VAULT} holds"


def test_an_owner_listed_with_its_token_is_of_that_token_alone() -> None:
    a, b = listing("a", pairs=[[VAULT, DAI], [OTHER, DAI]]), listing("b", pairs=[[VAULT, USDC]])
    assert pairs(a, b) == []
    assert pairs(a, b, listing("c", owners=[VAULT], tokens=[DAI])) == [(VAULT, "a", "c")]
    assert pairs(listing("dex", pairs=[VAULT, OTHER]), listing("pair", pairs=[VAULT])) == [(VAULT, "dex", "pair")]


def test_native_coins_of_an_owner_are_a_token_too() -> None:
    ether = "0x" + "0" * 40
    assert pairs(listing("a", pairs=[[VAULT, ether]]), listing("b", pairs=[[VAULT, ether]])) == [(VAULT, "a", "b")]
    assert pairs(listing("a", pairs=[[VAULT, ether]]), listing("b", pairs=[[VAULT, DAI]])) == []


def test_a_factory_of_vaults_that_curators_share_is_nobodys_holding() -> None:
    assert pairs(listing("a", morpho_factories=[VAULT]), listing("b", morpho_factories=[VAULT])) == []
