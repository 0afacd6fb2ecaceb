"""The examples of the page of recipes are recipes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from indexer.adapters.recipes.schema import Output, Step
from indexer.adapters.registry import parse_params
from indexer.config.schema import DeploymentSettings

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "recipes.md").read_text("utf-8")
EXAMPLES = [tomllib.loads(text)["protocols"][0] for text in re.findall(r"```toml\n(\[\[.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row["name"])
def test_an_example_is_accepted_as_it_stands(row: dict[str, Any]) -> None:
    deployment = DeploymentSettings.model_validate(row)
    assert parse_params(deployment.kind, deployment.params)


def test_there_is_an_example_of_every_source() -> None:
    used = {key for row in EXAMPLES for step in row["steps"] for key in step}
    assert used >= {"get", "list", "count", "item", "event", "same_as", "where", "given", "args"}


@pytest.mark.parametrize("model", [Step, Output], ids=lambda model: model.__name__)
def test_every_key_stands_on_the_page(model: type[Step | Output]) -> None:
    assert [name for name in model.model_fields if f"`{name}`" not in PAGE] == []
