"""The page of faults names every fault once, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from indexer.config.schema import ChainSettings
from indexer.run.audit import MOST_AT_ONCE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "faults.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\w+) \| (.*) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
}


def test_every_fault_from_1_to_50_and_every_outage_has_its_row() -> None:
    assert [row[0] for row in ROWS] == [*(str(number) for number in range(1, 51)), *"abcdef"]


def test_every_row_names_tests_and_every_test_named_exists() -> None:
    for number, _, _, tests in ROWS:
        named = re.findall(r"`(test_\w+)`", tests)
        assert named, number
        assert set(named) <= TESTS, number
    assert set(re.findall(r"`(test_\w+)`", PAGE)) <= TESTS


def test_every_fault_of_the_matrix_is_tried_under_its_number() -> None:
    folder = ROOT / "tests" / "e2e" / "faults"
    tried = {int(n) for file in folder.glob("test_*.py") for n in re.findall(r'"F(\d+) ', file.read_text("utf-8"))}
    assert tried >= {*range(1, 13), 14, 16, *range(18, 24), 39, 40, 41, 45, 48}


def test_what_is_said_of_audits_is_what_is_set() -> None:
    assert f"{ChainSettings.model_fields['audit_one_in'].default} by default" in PAGE
    assert f"at most {MOST_AT_ONCE} each time" in PAGE
