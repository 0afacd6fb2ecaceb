"""The reference of prices says what the code does: every kind, parameter, guard and threshold, with its default."""

import ast
import inspect
import re
import textwrap
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from indexer.pricing import registry
from indexer.pricing.guards import GuardSettings, guard_names

UNIT = Path(__file__).parents[1] / "unit" / "pricing"
PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "pricing.md").read_text()


def section(kind: str) -> str:
    return PAGE.partition(f"\n### `{kind}`\n")[2].partition("\n### ")[0].partition("\n## ")[0]


def parameter_row(name: str, info: FieldInfo) -> str:
    default = "needed" if info.is_required() else shown(info.default)
    return f"| `{info.alias or name}` | {default} | {info.description} |"


def shown(default: object) -> str:
    if default is None or default == ():
        return "none"
    if isinstance(default, Fraction | int | str):
        return f"`{str(default).lower() if isinstance(default, bool) else default}`"
    raise AssertionError(f"say how {default!r} is written in a configuration")


def reasons() -> dict[str, str]:
    """What stands under each setting in the code."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(GuardSettings))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for setting, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(setting, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[setting.target.id] = " ".join(text.value.value.split())
    return found


@pytest.mark.parametrize("kind", registry.kinds())
def test_every_kind_has_its_section_with_all_its_parameters(kind):
    rows = [parameter_row(name, info) for name, info in registry.oracle(kind).params.model_fields.items()]
    assert [row for row in rows if row not in section(kind)] == []


@pytest.mark.parametrize("kind", registry.kinds())
def test_no_section_names_a_parameter_that_is_gone(kind):
    known = {info.alias or name for name, info in registry.oracle(kind).params.model_fields.items()}
    written = {line.split("`")[1] for line in section(kind).splitlines() if line.startswith("| `")}
    assert written == known


@pytest.mark.parametrize("setting", fields(GuardSettings), ids=lambda setting: setting.name)
def test_every_threshold_is_listed_with_its_default_and_its_reason(setting):
    default = "none" if setting.name == "observe" else f"`{setting.default}`"
    assert f"| `{setting.name}` | {default} | {reasons()[setting.name]} |" in PAGE


@pytest.mark.parametrize("guard", guard_names())
def test_every_guard_is_listed(guard):
    assert f"\n| `{guard}` | " in PAGE


def replayed() -> list[str]:
    """The tests that the page names for faults and incidents."""
    section = PAGE.partition("\n## Faults and incidents, replayed\n")[2].partition("\n## ")[0]
    return re.findall(r"`(test_f?\d\w*|test_the_last\w*)`", section)


def written(file: str, prefix: str) -> set[str]:
    return set(re.findall(rf"^def ({prefix}\w*)\(", (UNIT / file).read_text(), re.MULTILINE))


def test_every_replay_that_the_page_names_is_a_test():
    there = {name for file in UNIT.glob("test_*.py") for name in written(file.name, "test_")}
    assert [name for name in replayed() if name not in there] == []


def test_every_fault_and_every_incident_is_on_the_page():
    assert written("test_incidents.py", "test_2") <= set(replayed())
    assert {number for name in replayed() for number in re.findall(r"^test_f(\d+)_", name)} == {
        str(number) for number in range(51, 64)
    }
