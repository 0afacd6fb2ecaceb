"""Compound V3: comets -> the base token and every collateral in each, and what is borrowed of the base token.

https://docs.compound.finance/helper-functions/ (`numAssets`, `getAssetInfo`, `totalBorrow`)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from indexer.adapters.base import Adapter, Params
from indexer.adapters.parts import Addresses, ask_groups, balance_of, holding, token_in, unidentified
from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Bucket, Found, Holding, Status
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, Plan, uint

ASSETS_LIMIT = 64
"""A comet's assets fit into its bit fields: 15 of them, 24 in later versions. A larger number is a broken answer."""

UNSEEN = Failed(Status.HELD, "an asset of the comet that was not found yet: discover first")


class CompoundV3Params(Params):
    """A list of comets."""

    comets: Addresses = Field(min_length=1)
    """The comets (the proxies that users supply to): each is also the token of what is supplied to it."""


class CompoundV3(Adapter[CompoundV3Params]):
    """Governance may list a collateral, or put another in its place: the list is asked again at every block."""

    kind = "compound_v3"
    version = 1
    counts = "Base: the base token and the collaterals that lie in each comet. Borrowed: its `totalBorrow()`."
    params = CompoundV3Params

    def discover(
        self, params: CompoundV3Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        comet = interface("comet")
        heads = yield from ask_groups([comet.baseToken(c), comet.numAssets(c)] for c in params.comets)
        counted = [(c, base, _count(count)) for c, (base, count) in zip(params.comets, heads, strict=True)]
        infos = yield from ask_groups([comet.getAssetInfo(c, i) for i in range(count)] for c, _, count in counted)
        items = [
            Found(f"{c}:{place}:{token}", at.number, {"comet": c, "places": place, "token": token})
            for (c, base, _), info in zip(counted, infos, strict=True)
            for place, token in enumerate(_tokens(base, info))
            if not isinstance(token, Failed)
        ]
        names = {item.key for item in known}
        return [item for item in items if item.key not in names]

    def read(self, params: CompoundV3Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        comets = [Comet.known(c, found) for c in params.comets]
        answers = yield from ask_groups(map(_asks, comets))
        return [h for comet, answer in zip(comets, answers, strict=True) for h in _holdings(comet, answer)]


@dataclass(frozen=True, slots=True)
class Comet:
    """What is known of a comet: every token that it ever had, and how many places of its list were seen."""

    address: Address
    tokens: tuple[Address, ...]
    places: int

    @classmethod
    def known(cls, address: Address, found: Sequence[Found]) -> Comet:
        items = [item.data for item in found if item.data["comet"] == address]
        tokens = sorted({str(data["token"]) for data in items})
        return cls(address, tuple(map(Address, tokens)), max((int(data["places"]) for data in items), default=0))


def _count(answer: Answer) -> int:
    """How many collaterals a comet has. Raises CallFailed for none and for nonsense."""
    if uint(answer) > ASSETS_LIMIT:
        raise CallFailed(f"the comet says it has {answer} assets")
    return uint(answer)


def _tokens(base: Answer, infos: Sequence[Answer]) -> list[Address | Failed]:
    """The base token and the collaterals in their places."""
    return [token_in(base), *(info if isinstance(info, Failed) else token_in(info[1]) for info in infos)]


def _asks(comet: Comet) -> list[Ask]:
    contract = interface("comet")
    return [
        *(contract.baseToken(comet.address), contract.numAssets(comet.address), contract.totalBorrow(comet.address)),
        *(contract.getAssetInfo(comet.address, i) for i in range(comet.places)),
        *(balance_of(token, comet.address) for token in comet.tokens),
    ]


def _holdings(comet: Comet, answers: Sequence[Answer]) -> list[Holding]:
    """What a comet holds of each of its tokens now; why not, where its list cannot be had or is longer than known."""
    (base, count, owed), infos = answers[:3], answers[3 : 3 + comet.places]
    if isinstance(base, Failed) or isinstance(count, Failed):
        return [unidentified(comet.address, base if isinstance(base, Failed) else count)]
    balances = dict(zip(comet.tokens, answers[3 + comet.places :], strict=True))
    tokens = list(dict.fromkeys(_tokens(base, infos[: _count(count)])))
    here = [t for t in tokens if not isinstance(t, Failed) and t in balances]
    lost = [t if isinstance(t, Failed) else UNSEEN for t in tokens if isinstance(t, Failed) or t not in balances]
    lost += [UNSEEN] if count > comet.places else []
    lent = token_in(base)
    return [
        *(holding(t, comet.address, balances[t], receipt=comet.address if t == lent else None) for t in here),
        *([] if isinstance(lent, Failed) else [holding(lent, comet.address, owed, Bucket.BORROWED)]),
        *(unidentified(comet.address, failed) for failed in lost[:1]),
    ]
