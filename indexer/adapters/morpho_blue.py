"""Morpho Blue: markets of the one contract that holds them all -> its tokens, and what is borrowed of each.

Markets are found once, from `CreateMarket` logs. The contract keeps the tokens of all markets together, so that a token
is one balance, whatever markets it serves. https://docs.morpho.org/get-started/resources/contracts/morpho/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from indexer.adapters.base import Adapter, ContractAddress, Params
from indexer.adapters.logged import Event, Logged
from indexer.adapters.parts import Addresses, ask_groups, balance_of, holding
from indexer.model import NATIVE, Address, BlockRef, Bucket, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Failed, Plan

MARKET_PARAMS = ("address", "address", "address", "address", "uint256")
"""Loan token, collateral token, oracle, interest rate model, and the loan-to-value at which one is liquidated."""

TOTAL_BORROW_ASSETS = 2
"""Where it stands in the struct of a market."""


class MorphoBlueParams(Params):
    """The contract, with all its markets."""

    morpho: ContractAddress
    """The Morpho Blue contract."""
    exclude: Addresses = ()
    """Tokens that are left out: anyone may create a market of any token."""


class MorphoBlue(Adapter[MorphoBlueParams]):
    """Positions are no tokens: none is a claim on the balances. Interest is that of each market's last use."""

    kind = "morpho_blue"
    version = 1
    counts = "Base: the loan and collateral tokens that lie in the contract. Borrowed: all markets' borrowed assets."
    params = MorphoBlueParams

    def discover(
        self, params: MorphoBlueParams, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        return (yield from _announced(params).find(known, from_block, at))

    def read(self, params: MorphoBlueParams, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        markets = [item for item in found if item.block <= at.number]
        tokens, loans = _tokens(markets, params.exclude), _loans(markets, params.exclude)
        contract, morpho, announced = interface("morpho_blue"), params.morpho, _announced(params)
        probe, balances, *states = yield from ask_groups(
            [
                [announced.probe],
                [balance_of(token, morpho) for token in tokens],
                *([contract.market(morpho, bytes.fromhex(market)) for market in ids] for ids in loans.values()),
            ]
        )
        announced.check(probe[0], markets)
        owed = zip(loans, map(_sum, states), strict=True)
        return [
            *(holding(token, morpho, balance) for token, balance in zip(tokens, balances, strict=True)),
            *(holding(token, morpho, amount, Bucket.BORROWED) for token, amount in owed),
        ]


def _announced(params: MorphoBlueParams) -> Logged:
    contract = interface("morpho_blue")
    created = Event("Morpho Blue", contract.events["CreateMarket"], ("bytes32",), MARKET_PARAMS)
    return Logged(params.morpho, created, _market, contract.owner(params.morpho))


def _market(values: tuple[Any, ...], block: int) -> list[Found]:
    market, loan, collateral, *_ = values
    return [Found(market.hex(), block, {"loan": loan, "collateral": collateral})]


def _tokens(markets: Sequence[Found], exclude: Sequence[Address]) -> list[Address]:
    """Every loan and collateral token once; a market without collateral names the zero address."""
    named = {Address(str(item.data[role])) for item in markets for role in ("loan", "collateral")}
    return sorted(named - {NATIVE, *exclude})


def _loans(markets: Sequence[Found], exclude: Sequence[Address]) -> Mapping[Address, list[str]]:
    """Loan token -> the markets that lend it."""
    loans: dict[Address, list[str]] = {}
    for item in sorted(markets, key=lambda item: (str(item.data["loan"]), item.key)):
        token = Address(str(item.data["loan"]))
        if token not in (NATIVE, *exclude):
            loans.setdefault(token, []).append(item.key)
    return loans


def _sum(states: Sequence[Answer]) -> int | Failed:
    """What is borrowed in these markets together; the first failure where one cannot be had."""
    failed = next((state for state in states if isinstance(state, Failed)), None)
    return failed or sum(state[TOTAL_BORROW_ASSETS] for state in states)
