"""The page of kinds says of each kind what its code says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from indexer.adapters.base import Params
from indexer.adapters.recipes.shipped import shipped_kinds
from indexer.adapters.registry import OURS, adapter, parse_params
from indexer.config.schema import DeploymentSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "kinds.md").read_text("utf-8")
KINDS = (*OURS, *shipped_kinds())
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def test_every_kind_has_its_section_and_its_row() -> None:
    assert set(SECTIONS) == set(KINDS)
    assert set(re.findall(r"^\| \[`(\w+)`\]\(#(?:\w+)\)", PAGE, re.MULTILINE)) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_opens_with_what_the_kind_counts(kind: str) -> None:
    assert SECTIONS[kind].strip().startswith(adapter(kind).counts)


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_lists_exactly_the_parameters_with_their_defaults(kind: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) ?\|", SECTIONS[kind], re.MULTILINE))
    assert rows == {name: default_of(adapter(kind).params, name) for name in adapter(kind).params.model_fields}


def default_of(model: type[Params], name: str) -> str:
    default = model.model_fields[name].default
    if default is PydanticUndefined:
        return ""
    return f"`{default}`" if default else "none"


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_names_every_recorded_block_of_its_kind(kind: str) -> None:
    files = (ROOT / "tests" / "data" / "golden").glob(f"{kind}_*.json")
    own = [path for path in files if json.loads(path.read_text("utf-8"))["kind"] == kind]
    blocks = {path.stem.rpartition("_")[2] for path in own}
    assert blocks
    assert {number for number in blocks if number not in SECTIONS[kind]} == set()


def test_the_example_has_parameters_that_its_kind_accepts() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (row,) = tomllib.loads(example)["protocols"]
    deployment = DeploymentSettings.model_validate(row)
    assert parse_params(deployment.kind, deployment.params)
