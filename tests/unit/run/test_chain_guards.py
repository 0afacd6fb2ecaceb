"""The thresholds that a chain's prices stand under come from `[guards]`, and for its sequencer from the chain's row."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.run.program import load_program
from tests.unit.cli.filled import write_config

ROLLUP = """
[chains.rollup]
chain_id = 901
native = { symbol = "ETH" }
endpoints = ["http://127.0.0.1:9/"]
"""
FEED = 'sequencer_feed = { address = "0x5555555555555555555555555555555555555555", grace_s = 1800 }\n'


@pytest.mark.parametrize(
    ("text", "grace_s"),
    [(ROLLUP, 3_600), (ROLLUP + FEED, 1_800), ("[guards]\nsequencer_grace_s = 60\n" + ROLLUP + FEED, 60)],
)
def test_a_chains_sequencer_has_the_grace_of_its_row_unless_the_guards_say_one(
    tmp_path: Path, text: str, grace_s: int
) -> None:
    router = load_program(write_config(tmp_path, text)).chains["rollup"].router
    assert router.guards.sequencer_grace_s == grace_s
