"""The numbers of the methodology's examples are what the program computes."""

from __future__ import annotations

from pathlib import Path

from indexer.model import Bucket, Flow, Snapshot
from indexer.valuation.attribution import Attributor, Moves, attribute
from indexer.valuation.parts import Parts
from indexer.valuation.rollup import DAY_S, Level, level_at, median, span_of
from tests.unit.valuation.histories import DOLLAR, GOLD, KEY, ONE, POT, USD, at, place, snapshot

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "methodology.md").read_text("utf-8")
NAMES = ("change", "flow", "price", "yielded", "scope", "method")
MILLION = 10**6 * USD


def pot(block: int, units: int, price: int | None, adapter: str = "k@1") -> Snapshot:
    dollars = None if price is None else price * DOLLAR
    return snapshot(block, {place(GOLD): units * ONE[GOLD]}, {GOLD: dollars}, adapter=adapter)


def ledger(after: int, upto: int) -> Moves:
    """Every transfer from block 5 on, and nothing of those before."""
    flow = Flow(at(5), GOLD, POT, Bucket.BASE, ONE[GOLD], 0)
    return Moves([flow] if after < 5 <= upto else [], [place(GOLD)] if after >= 4 else [])


SERIES = [pot(1, 100, 10), pot(2, 120, 12), pot(3, 120, None), pot(4, 150, 12), pot(5, 153, 12), pot(6, 160, 12, "k@2")]


def row(step: str, parts: Parts) -> str:
    return f"| {' | '.join([step, *(str(getattr(parts, name) // USD) for name in NAMES)])} |"


def test_the_example_of_why_a_value_changed() -> None:
    attributor, rows = Attributor(KEY, ledger), []
    for one in SERIES:
        attributor.take(one)
        made = attributor.cut()
        if made.opened and made.closed:
            rows.append(row(f"{made.opened.number} to {made.closed.number}", made.total()))
    rows.append(row("1 to 6", attribute(KEY, SERIES, ledger).total()))
    table = PAGE.partition("| step | ")[2].partition("\n\n")[0].splitlines()[2:]
    assert table == rows


def test_the_example_of_a_locker_at_midnight() -> None:
    midnight = 20_000 * DAY_S
    levels = [
        Level(midnight - DAY_S, 100 * MILLION),
        Level(midnight - 60, 1000 * MILLION),
        Level(midnight + 60, 100 * MILLION),
    ]
    snapshot_then, day = level_at(levels, midnight), span_of(levels, midnight - DAY_S, midnight).span
    assert snapshot_then is not None
    assert day is not None
    assert snapshot_then.usd == 1000 * MILLION
    assert day.mean * 1000 == 100_625 * MILLION
    assert median(levels, midnight) == 100 * MILLION
    assert "a midnight snapshot of 1000 m, a mean of the day before of 100.625 m, and a\nmedian of 100 m" in PAGE
