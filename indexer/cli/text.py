"""Values as people read them: times in UTC, durations, amounts, short addresses. Text only; nothing is printed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from indexer.model import Bucket, Total
from indexer.units import usd_text


def iso(timestamp: int) -> str:
    """Seconds since 1970 as `2026-01-01T00:00:11Z`; the number itself where it is no time of ours."""
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(timestamp)


def duration(seconds: int) -> str:
    """`45s`, `12m 5s`, `3h 4m`, `2d 3h`."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    for size, unit, part, part_unit in ((86_400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size}{unit} {rest}{part_unit}" if rest else f"{seconds // size}{unit}"
    return f"{seconds}s"


def short(address: str) -> str:
    """`0x1f98…f984`."""
    return f"{address[:6]}…{address[-4:]}"


def amount_text(amount: int | None, decimals: int | None, places: int = 6) -> str:
    """Raw units as whole tokens with at most `places` decimals, cut, not rounded; `raw 123` where none are known."""
    if amount is None:
        return "?"
    if decimals is None:
        return f"raw {amount}"
    whole, rest = divmod(abs(amount), 10**decimals)
    fraction = str(rest).rjust(decimals, "0")[:places].rstrip("0") if decimals else ""
    if not whole and not fraction and rest:
        return f"<0.{'1'.rjust(places, '0')}"
    return f"{'-' if amount < 0 else ''}{whole:,}" + (f".{fraction}" if fraction else "")


def usd(value: int | None) -> str:
    """USD for people, or `?` for what could not be had: never a zero in its place."""
    return "?" if value is None else usd_text(value)


def total_usd(total: Total | None) -> str:
    """A total's value; `-` where the bucket is not there, `?` where nothing of it has a value."""
    if total is None:
        return "-"
    return usd(total.usd) if total.lines or not total.left_out else "?"


def buckets_of(totals: Iterable[Iterable[Bucket]]) -> list[Bucket]:
    """Every bucket that occurs, and base, in their usual order."""
    seen = {bucket for buckets in totals for bucket in buckets} | {Bucket.BASE}
    return [bucket for bucket in Bucket if bucket in seen]
