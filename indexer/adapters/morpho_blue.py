"""Morpho Blue: markets of the one contract that holds them all -> its tokens, and what is borrowed of each.

Markets are found once, from `CreateMarket` logs. The contract keeps the tokens of all markets together, so that a token
is one balance, whatever markets it serves. https://docs.morpho.org/get-started/resources/contracts/morpho/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from indexer.adapters.base import Adapter, ContractAddress, Params
from indexer.adapters.parts import Addresses, ask_groups, balance_of, holding
from indexer.errors import CallFailed
from indexer.model import NATIVE, Address, BlockRef, Bucket, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.decode import decode_types
from indexer.reads.plan import Answer, Failed, Log, LogQuery, Plan, need
from indexer.reads.types import abi_type

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
        created = interface("morpho_blue").events["CreateMarket"]
        (logs,) = yield [LogQuery((params.morpho,), ((created,),), from_block, at.number)]
        names = {item.key for item in known}
        new = {item.key: item for item in map(_market_created, need(logs)) if item.key not in names}
        return list(new.values())

    def read(self, params: MorphoBlueParams, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        markets = [item for item in found if item.block <= at.number]
        tokens, loans = _tokens(markets, params.exclude), _loans(markets, params.exclude)
        contract, morpho = interface("morpho_blue"), params.morpho
        probe, balances, *states = yield from ask_groups(
            [
                [contract.owner(morpho)],
                [balance_of(token, morpho) for token in tokens],
                *([contract.market(morpho, bytes.fromhex(market)) for market in ids] for ids in loans.values()),
            ]
        )
        need(probe[0])
        owed = zip(loans, map(_sum, states), strict=True)
        return [
            *(holding(token, morpho, balance) for token, balance in zip(tokens, balances, strict=True)),
            *(holding(token, morpho, amount, Bucket.BORROWED) for token, amount in owed),
        ]


def _market_created(log: Log) -> Found:
    """What a `CreateMarket` log found. Raises CallFailed for a log of another layout."""
    try:
        loan, collateral = decode_types((abi_type("address"), abi_type("address")), log.data[:64])
        market = log.topics[1][2:]
    except (ValueError, IndexError) as error:
        raise CallFailed("a CreateMarket log is not Morpho Blue's", tx=log.tx_hash) from error
    return Found(market, log.block_number, {"loan": loan, "collateral": collateral})


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
