"""What people write for a moment."""

from __future__ import annotations

import click
import pytest

from indexer.cli.when import LATEST, Moment, parse_moment, refuse_backwards


@pytest.mark.parametrize(
    ("text", "block", "timestamp", "ago_s"),
    [
        ("19000000", 19_000_000, None, None),
        ("19_000_000", 19_000_000, None, None),
        ("0", 0, None, None),
        ("-90d", None, None, 90 * 86_400),
        ("-12h", None, None, 43_200),
        ("2026-01-01", None, 1_767_225_600, None),
        ("2026-01-01T00:00:00Z", None, 1_767_225_600, None),
        ("2026-01-01 01:00:00+01:00", None, 1_767_225_600, None),
        ("latest", None, None, None),
    ],
)
def test_a_moment_is_a_block_a_date_or_a_distance(
    text: str, block: int | None, timestamp: int | None, ago_s: int | None
) -> None:
    moment = parse_moment(text)
    assert (moment.block, moment.timestamp, moment.ago_s) == (block, timestamp, ago_s)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "-90", "90d", "-1y", "1.5", "0x10", "9" * 30])
def test_anything_else_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match="2026-01-01"):
        parse_moment(text)


def test_a_date_does_not_depend_on_this_machines_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert parse_moment("2026-01-01").timestamp == 1_767_225_600


def test_a_distance_counts_back_from_the_end_of_what_there_is() -> None:
    assert parse_moment("-1h").time(10_000) == 6_400
    assert parse_moment("latest").time(10_000) == 10_000
    assert parse_moment("7").time(10_000) is None


@pytest.mark.parametrize(("start", "end"), [("7", "6"), ("2026-01-02", "2026-01-01"), ("-1d", "-2d")])
def test_a_start_after_the_end_is_refused(start: str, end: str) -> None:
    with pytest.raises(click.UsageError, match="lies after"):
        refuse_backwards(parse_moment(start), parse_moment(end))


@pytest.mark.parametrize(("start", "end"), [("7", "7"), ("7", "2026-01-01"), ("-2d", "-1d"), ("-2d", "latest")])
def test_what_cannot_be_compared_yet_is_let_through(start: str, end: str) -> None:
    refuse_backwards(parse_moment(start), parse_moment(end))


def test_the_end_is_the_end() -> None:
    assert Moment("latest") == LATEST
