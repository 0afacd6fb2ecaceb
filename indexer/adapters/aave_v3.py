"""Aave V3 and its forks: reserves of a market -> the tokens that are there, and what is borrowed.

Base is supplied minus borrowed, and as such one balance: the underlying in the aToken. Borrowed is the supply of the
debt tokens. Other versions differ in the pool's struct alone. https://aave.com/docs/aave-v3/smart-contracts/pool
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import ClassVar

from pydantic import model_validator

from indexer.adapters.base import Adapter, ContractAddress, Params
from indexer.adapters.parts import Addresses, ask_groups, balance_of, exactly_one, holding, token_in, unidentified
from indexer.model import NATIVE, Address, BlockRef, Bucket, Found, Holding, Status
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, Plan, need


class AaveV3Params(Params):
    """A market, by its pool or by its data provider."""

    pool: ContractAddress | None = None
    """The market's `Pool` (the proxy that users supply to)."""
    data_provider: ContractAddress | None = None
    """The market's protocol data provider, in place of the pool: also for forks whose pool has another struct."""
    exclude: Addresses = ()
    """Assets that are left out."""

    @model_validator(mode="after")
    def _one_source(self) -> AaveV3Params:
        exactly_one(pool=self.pool, data_provider=self.data_provider)
        return self


@dataclass(frozen=True, slots=True)
class Reserve:
    """An asset's tokens in the market. A debt token that the market does not have is the zero address."""

    asset: Address
    a_token: Address
    stable_debt: Address
    variable_debt: Address


class AaveV3(Adapter[AaveV3Params]):
    """A reserve counts while the market lists it with the very tokens that were found for it."""

    kind = "aave_v3"
    version = 1
    counts = "Base: the underlying that lies in each reserve's aToken. Borrowed: the supply of its debt tokens."
    params = AaveV3Params
    pool: ClassVar[str] = "aave_v3_pool"
    """The interface of the pool."""
    token_fields: ClassVar[slice] = slice(8, 11)
    """Where aToken, stable and variable debt token stand in the pool's struct of a reserve."""

    def discover(
        self, params: AaveV3Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        (listed,) = yield self._list(params)
        assets = _assets(params, need(listed))
        answers = yield from ask_groups(self._tokens(params, asset) for asset in assets)
        reserves = [self._reserve(params, asset, answer) for asset, (answer,) in zip(assets, answers, strict=True)]
        names = {item.key for item in known}
        new = [_found(reserve, at.number) for reserve in reserves if isinstance(reserve, Reserve)]
        return [item for item in new if item.key not in names]

    def read(self, params: AaveV3Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        reserves = list(dict.fromkeys(map(_known, found)))
        assets = list(dict.fromkeys(reserve.asset for reserve in reserves))
        (listed,), *answers = yield from ask_groups(
            [self._list(params), *(self._tokens(params, a) for a in assets), *map(_amounts, reserves)]
        )
        current = {a: self._reserve(params, a, answer) for a, (answer,) in zip(assets, answers, strict=False)}
        amounts = dict(zip(reserves, answers[len(assets) :], strict=True))
        here = _assets(params, need(listed))
        return [h for asset in here for h in _holdings(asset, current.get(asset, UNSEEN), amounts)]

    def _list(self, params: AaveV3Params) -> list[Ask]:
        if params.pool:
            return [interface(self.pool).getReservesList(params.pool)]
        if params.data_provider:
            return [interface("aave_v3_data_provider").getAllReservesTokens(params.data_provider)]
        return []

    def _tokens(self, params: AaveV3Params, asset: Address) -> list[Ask]:
        if params.pool:
            return [interface(self.pool).getReserveData(params.pool, asset)]
        if params.data_provider:
            return [interface("aave_v3_data_provider").getReserveTokensAddresses(params.data_provider, asset)]
        return []

    def _reserve(self, params: AaveV3Params, asset: Address, answer: Answer) -> Reserve | Failed:
        if isinstance(answer, Failed):
            return answer
        a_token, stable, variable = answer[self.token_fields] if params.pool else answer
        underlying, claim = token_in(asset), token_in(a_token)
        if isinstance(underlying, Failed) or isinstance(claim, Failed):
            return Failed(Status.MALFORMED, "the market names no aToken for this asset")
        return Reserve(underlying, claim, stable, variable)


UNSEEN = Failed(Status.HELD, "a reserve of the market that was not found yet: discover first")


def _assets(params: AaveV3Params, listed: Iterable[Answer]) -> list[Address]:
    """The assets of a list of reserves, each once, without those that are left out on purpose."""
    assets = dict.fromkeys(Address(item if params.pool else item[1]) for item in listed)
    return [asset for asset in assets if asset not in params.exclude]


def _found(reserve: Reserve, block: int) -> Found:
    """A reserve as a discovery: a new one whenever the market gives the asset another token."""
    return Found(":".join(astuple(reserve)), block, asdict(reserve))


def _known(item: Found) -> Reserve:
    return Reserve(*(Address(str(item.data[field.name])) for field in fields(Reserve)))


def _debts(reserve: Reserve) -> list[Address]:
    return [token for token in dict.fromkeys((reserve.stable_debt, reserve.variable_debt)) if token != NATIVE]


def _amounts(reserve: Reserve) -> list[Ask]:
    supplies = [interface("erc20").totalSupply(debt) for debt in _debts(reserve)]
    return [balance_of(reserve.asset, reserve.a_token), *supplies]


def _holdings(asset: Address, reserve: Reserve | Failed, amounts: dict[Reserve, list[Answer]]) -> list[Holding]:
    """What a listed asset holds and owes; the reason where its tokens are not those that were found."""
    if isinstance(reserve, Failed) or reserve not in amounts:
        return [unidentified(asset, reserve if isinstance(reserve, Failed) else UNSEEN)]
    here, *owed = amounts[reserve]
    borrowed = zip(_debts(reserve), owed, strict=True)
    return [
        holding(asset, reserve.a_token, here, receipt=reserve.a_token),
        *(holding(asset, debt, supply, Bucket.BORROWED) for debt, supply in borrowed),
    ]
