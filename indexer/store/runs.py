"""Sets of row ids as text, and back: runs of neighbours as JSON, the same text for the same set. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator


def runs_text(ids: Iterable[int]) -> str:
    """1, 2, 3, 7 -> [[1,3],[7,7]]."""
    runs: list[list[int]] = []
    for one in sorted(ids):
        if runs and runs[-1][1] == one - 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    return json.dumps(runs, separators=(",", ":"))


def ids_in(text: str) -> Iterator[int]:
    """[[1,3],[7,7]] -> 1, 2, 3, 7."""
    for start, end in json.loads(text):
        yield from range(start, end + 1)
