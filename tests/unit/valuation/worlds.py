"""Evidence made by hand: one deployment over time, its flows, and who else is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from indexer.model import Address, Bucket, Flow, Quote, Status
from indexer.valuation.books import Book
from indexer.valuation.claims import Claims
from indexer.valuation.history import Flown, Seen, seen
from indexer.valuation.quality import judge
from indexer.valuation.rules import NAMES
from indexer.valuation.verdicts import Evidence, Finding, QualitySettings, Verdict
from tests.unit.valuation.stocks import ONE, Held, address, block, book, snapshot

Prices = Mapping[str, Fraction | int | Quote | None]
Moment = tuple[Sequence[Held], Prices]
SETTINGS = QualitySettings()
EVERY_BLOCKS = 50  # ten minutes


def moment(held: Sequence[Held], **prices: Any) -> Moment:
    """What was held at a time, and the prices that were not a dollar."""
    return held, prices


def evidence(
    *moments: Moment,
    judged: int = -1,
    flown: Sequence[Flown] = (),
    others: Sequence[Book] = (),
    own: Sequence[str] = (),
    **about: Any,
) -> Evidence:
    """The moments of a deployment `p`, ten minutes apart from block 0 on; the `judged` one (default: the last)."""
    index = range(len(moments))[judged]
    looks: list[Seen] = []
    for i, (held, prices) in enumerate(moments):
        looks.append(seen(snapshot("p@ethereum", held, prices, block(i * EVERY_BLOCKS))))
    held, prices = moments[index]
    mine = book("p", held, prices, at=block(index * EVERY_BLOCKS), **about)
    return Evidence(
        book=mine,
        before=tuple(looks[:index]),
        after=tuple(looks[index + 1 :]),
        flown=tuple(flown),
        claims=Claims([mine, *others]),
        own=frozenset(address(name) for name in own),
    )


def flow(number: int, token: str, came: int, left: int, owner: str = "o") -> Flow:
    """Whole units that came and left in a block."""
    return Flow(block(number), address(token), address(owner), Bucket.BASE, came * ONE, left * ONE)


def logs(last: int, *items: Flow, tokens: Sequence[str] = "d", owner: str = "o") -> Flown:
    """All flows of tokens from block 1 to a block."""
    places = frozenset((address(token), address(owner), Bucket.BASE) for token in tokens)
    return Flown(1, last, items, places)


def verdict(one: Evidence, **settings: Any) -> Verdict:
    """Judged with the defaults, or with some of them changed."""
    return judge(one, QualitySettings.parse(settings, NAMES) if settings else SETTINGS)


def found(one: Verdict) -> dict[str, Status]:
    """The rules that found something, with the worst of each."""
    return {finding.rule: finding.status for finding in sorted(one.findings, key=lambda f: f.status is not Status.OK)}


def of(one: Verdict, rule: str) -> Finding:
    """The only finding of a rule."""
    (finding,) = [finding for finding in one.findings if finding.rule == rule]
    return finding


def token(name: str) -> Address:
    """A token's address."""
    return address(name)
