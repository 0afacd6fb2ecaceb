"""Values and tables as people see them, with hostile text in them."""

from __future__ import annotations

import pytest

from indexer.cli.table import Styled, echo_table, numbers, words
from indexer.cli.text import amount_text, duration, iso, short, total_usd
from indexer.model import Total


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (125, "2m 5s"), (3_660, "1h 1m"), (90_000, "1d 1h"), (-5, "-5s")],
)
def test_durations_have_two_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (None, 18, "?"),
        (0, 18, "0"),
        (123, None, "raw 123"),
        (1_234_567_899_999, 6, "1,234,567.899999"),
        (10**18 + 1, 18, "1"),
        (1, 18, "<0.000001"),
        (5, 0, "5"),
        (-1_500_000, 6, "-1.5"),
    ],
)
def test_amounts_are_cut_never_rounded_up(amount: int | None, decimals: int | None, text: str) -> None:
    assert amount_text(amount, decimals) == text


def test_a_time_that_is_none_is_shown_as_its_number() -> None:
    assert iso(1_767_225_600) == "2026-01-01T00:00:00Z"
    assert iso(10**30) == str(10**30)


def test_a_bucket_without_a_value_is_not_zero() -> None:
    assert total_usd(None) == "-"
    assert total_usd(Total(0, 0, 0, lines=0, left_out=2)) == "?"
    assert total_usd(Total(0, 0, 0, lines=1, left_out=2)) == "$0.00"


def test_an_address_keeps_both_ends() -> None:
    assert short("0x1f9840a85d5af5bf1d1762f925bdaddc4201f984") == "0x1f98…f984"


def test_columns_line_up_whatever_stands_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table([*words("token"), *numbers("amount")], [["漢字", "1"], [Styled("e\u0301", "red"), "22"], ["abcde", ""]])
    assert capsys.readouterr().out.splitlines() == ["token  amount", "漢字        1", "e\u0301          22", "abcde"]


def test_a_cell_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(words("token", "x"), [["a\x1b[2J\nb\u202ec\x07[red]", "y"]])
    assert capsys.readouterr().out.splitlines()[1] == "a [2J b c [red]  y"
