"""Lending markets that stand alone, one contract each -> the tokens that lie in each, and what is borrowed from it.

The first token of a market is the one it lends; others are collateral. A kind says how markets are listed, how a market
names its tokens, and how it says what is borrowed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from indexer.adapters.base import Adapter, Params
from indexer.adapters.parts import Addresses, ask_groups, balance_of, holding, token_in, unidentified
from indexer.model import Address, BlockRef, Bucket, Found, Holding, Status
from indexer.reads.plan import Answer, Ask, Failed, Plan, need

UNSEEN = Failed(Status.HELD, "a market that was not found yet: discover first")


class MarketsParams(Params):
    """What all such kinds leave out."""

    exclude: Addresses = ()
    """Markets that are left out."""


P = TypeVar("P", bound=MarketsParams)


@dataclass(frozen=True, slots=True)
class Market:
    """A market and its tokens, the lent one first; or why they cannot be had."""

    address: Address
    tokens: tuple[Address, ...] | Failed


class Markets(Adapter[P]):
    """A market counts while it is listed. What is borrowed is what the contract last wrote down."""

    @abstractmethod
    def by_hand(self, params: P) -> Sequence[Address]:
        """The markets of the configuration; none where the chain lists them."""

    @abstractmethod
    def listing(self, params: P) -> list[Ask]:
        """What asks for the addresses of all markets; nothing where they are listed by hand."""

    @abstractmethod
    def naming(self, params: P, market: Address) -> list[Ask]:
        """What asks for a market's tokens, the lent one first."""

    @abstractmethod
    def borrowed(self, market: Address) -> Ask:
        """What asks for the raw amount that is borrowed."""

    def lent(self, answer: Answer) -> Answer:
        """The raw amount in the answer to `borrowed`. Default: the answer itself."""
        return answer

    def known_tokens(self, params: P, market: Address) -> tuple[Address, ...]:
        """The tokens of a market that the configuration names; none where it is asked."""
        return ()

    def discover(self, params: P, known: Sequence[Found], from_block: int, at: BlockRef) -> Plan[list[Found]]:
        listed = self.by_hand(params) or (yield from self._ask_listed(params))
        names = {item.key for item in known}
        markets = yield from self._named(params, [m for m in listed if m not in names])
        return [Found(m.address, at.number, _data(m)) for m in markets if not self.by_hand(params) or _is_whole(m)]

    def read(self, params: P, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        markets = yield from self._markets(params, found)
        listed, *answers = yield from ask_groups([self.listing(params), *(self._asks(m) for m in markets)])
        here = _listed(params, self.by_hand(params) or need(listed[0]))
        holdings = {m.address: self._holdings(m, answer) for m, answer in zip(markets, answers, strict=True)}
        return [h for address in here for h in holdings.get(address, [unidentified(address, UNSEEN)])]

    def _ask_listed(self, params: P) -> Plan[list[Address]]:
        (listed,) = yield self.listing(params)
        return _listed(params, need(listed))

    def _markets(self, params: P, found: Sequence[Found]) -> Plan[list[Market]]:
        """All that were found or are listed by hand; those whose tokens are not known are asked again."""
        markets = {item.key: Market(Address(item.key), _tokens(item)) for item in found if _tokens(item)}
        wanted = self.by_hand(params) or [Address(item.key) for item in found]
        unknown = [address for address in dict.fromkeys(wanted) if address not in markets]
        asked = yield from self._named(params, unknown)
        return [*markets.values(), *asked]

    def _named(self, params: P, addresses: Sequence[Address]) -> Plan[list[Market]]:
        """These markets with their tokens, in one round."""
        by_hand = [self.known_tokens(params, address) for address in addresses]
        answers = yield from ask_groups(
            [] if tokens else self.naming(params, address) for address, tokens in zip(addresses, by_hand, strict=True)
        )
        return [
            Market(address, tokens or _all_named(answer))
            for address, tokens, answer in zip(addresses, by_hand, answers, strict=True)
        ]

    def _asks(self, market: Market) -> list[Ask]:
        if isinstance(market.tokens, Failed):
            return []
        return [*(balance_of(token, market.address) for token in market.tokens), self.borrowed(market.address)]

    def _holdings(self, market: Market, answers: Sequence[Answer]) -> list[Holding]:
        if isinstance(market.tokens, Failed):
            return [unidentified(market.address, market.tokens)]
        *here, owed = answers
        lent, *collateral = zip(market.tokens, here, strict=True)
        amount = owed if isinstance(owed, Failed) else self.lent(owed)
        return [
            holding(lent[0], market.address, lent[1], receipt=market.address),
            *(holding(token, market.address, answer) for token, answer in collateral),
            holding(lent[0], market.address, amount, Bucket.BORROWED),
        ]


def _listed(params: MarketsParams, markets: Sequence[Address]) -> list[Address]:
    return [market for market in dict.fromkeys(map(Address, markets)) if market not in params.exclude]


def _all_named(answers: Sequence[Answer]) -> tuple[Address, ...] | Failed:
    """The tokens that a market names, all different, or why not."""
    tokens = [token_in(answer) for answer in answers]
    failed = next((token for token in tokens if isinstance(token, Failed)), None)
    if failed is not None:
        return failed
    named = tuple(token for token in tokens if not isinstance(token, Failed))
    return named if len(set(named)) == len(named) else Failed(Status.MALFORMED, "its tokens are the same")


def _is_whole(market: Market) -> bool:
    return not isinstance(market.tokens, Failed)


def _data(market: Market) -> dict[str, str | int | bool]:
    return {} if isinstance(market.tokens, Failed) else {"tokens": " ".join(market.tokens)}


def _tokens(item: Found) -> tuple[Address, ...]:
    return tuple(map(Address, str(item.data.get("tokens", "")).split()))
