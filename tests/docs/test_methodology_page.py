"""The methodology page says what the code does, and its worked examples are worked out here."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from dataclasses import fields
from pathlib import Path

import pytest

from indexer.units import usd_text
from indexer.valuation.books import Book
from indexer.valuation.claims import SHARES, Claims
from indexer.valuation.profiles import BALANCE_QUERIES, PROFILES, TOGGLES, apply, difference, total
from indexer.valuation.rules import RULES
from indexer.valuation.verdicts import QualitySettings
from tests.unit.valuation.stocks import block, book, quote
from tests.unit.valuation.worlds import evidence, flow, logs, moment, verdict

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "methodology.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[str]:
    return re.findall(r"^\| `([\w-]+)` \|", section(title), re.MULTILINE)


def reasons() -> dict[str, str]:
    """What stands under each threshold in the code."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(QualitySettings))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        setting.target.id: " ".join(text.value.value.split())
        for setting, text in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(setting, ast.AnnAssign) and isinstance(setting.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def shown(default: object) -> str:
    if isinstance(default, frozenset):
        return ", ".join(f"`{name}`" for name in sorted(default))
    return f"`{default}`" if default else "none"


def example() -> list[Book]:
    """A lender, a pool of its receipts, a farm of the pool's shares, and a vault of somebody's staked token."""
    shares = quote("SUSD", 1, block(100), route="rate > chainlink:USD")
    return [
        book("lender", [("DAI", 800, "a>aDAI"), ("DAI", 200, "debt", "borrowed")], category="lending"),
        book("pool", [("aDAI", 300, "p>LP"), ("ETH", 300, "p>LP")], category="dex"),
        book("farm", [("LP", 200, "f"), ("DAI", 50, "f")], category="yield"),
        book("savings", [("SUSD", 100, "s")], {"SUSD": shares}),
    ]


def test_every_profile_is_described_as_the_code_describes_it() -> None:
    told = section("Profiles")
    assert rows("Profiles") == list(PROFILES)
    for profile in PROFILES.values():
        assert f"| `{profile.name}` | {profile.means} |" in told
    assert all(f"`{toggle}`" in told for toggle in TOGGLES)
    assert all(f"`{kind}`" in told for kind in BALANCE_QUERIES)


def test_every_kind_of_route_that_makes_a_share_is_named() -> None:
    assert all(f"`{kind}`" in section("Counted twice") for kind in SHARES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_described_as_the_code_describes_it(rule) -> None:  # type: ignore[no-untyped-def]
    assert f"| `{rule.name}` | {rule.means} |" in section("Verdicts and headline")


@pytest.mark.parametrize("setting", fields(QualitySettings), ids=lambda setting: setting.name)
def test_every_threshold_stands_there_with_its_default_and_its_reason(setting) -> None:  # type: ignore[no-untyped-def]
    default = getattr(QualitySettings(), setting.name)
    row = f"| `{setting.name}` | {shown(default)} | {reasons()[setting.name]} |"
    assert row in section("Verdicts and headline")


def test_the_example_of_what_is_counted_twice_is_right() -> None:
    claims = Claims(example())
    told = section("Counted twice")
    for name in ("lender", "pool", "farm", "savings", "together"):
        m = claims.measure(lambda one, name=name: name in (one.protocol, "together"))  # type: ignore[misc]
        ratio = f"{m.multiplier.numerator / m.multiplier.denominator:.3f}"[:-1] if m.multiplier else "-"
        cells = [usd_text(usd, 0) for usd in (m.gross, m.base, m.net, m.redeemable)]
        assert f"| {name} | {' | '.join(cells)} | {ratio} |" in told
    for row in claims.overlaps(lambda one: one.protocol):
        assert f"| {row.holder} | {row.issuer} | {row.layer} | {usd_text(row.usd, 0)} |" in told
    farm = claims.measure(lambda one: one.protocol == "farm")
    assert [usd_text(usd, 0) for usd in sorted(farm.exposure.values())] == ["$100", "$150"]
    assert "150 of DAI (50 of its own, 100 behind the pool's aDAI) and 100 of ether" in told


def test_the_example_of_a_difference_is_right() -> None:
    gross, net = (apply(PROFILES[name], Claims(example())) for name in ("gross", "net"))
    told = section("Profiles")
    for part in difference(gross, net):
        assert f"| {part.reason} | {usd_text(part.usd, 0)} |" in told
    assert f"{usd_text(total(gross), 0)} of gross to {usd_text(total(net), 0)} of net" in told


def test_the_example_of_a_verdict_is_right() -> None:
    quiet, leap = moment([("DAI", 100), ("ETH", 50)]), moment([("DAI", 1000), ("ETH", 50)])
    blind = verdict(evidence(quiet, leap))
    told = verdict(evidence(quiet, leap, flown=[logs(50, flow(30, "DAI", 900, 0), tokens=["DAI"])]))
    said = " ".join(section("Verdicts and headline").split())
    assert " ".join(blind.reason.split()) in said
    assert f"the headline is {usd_text(blind.headline.usd, 0)}" in said
    assert f"{usd_text(blind.headline.left_out[0].usd or 0, 0)} are left out" in said
    assert f"it is `{told.status}` and the headline {usd_text(told.headline.usd, 0)}" in said
