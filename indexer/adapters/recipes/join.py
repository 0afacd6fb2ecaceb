"""Rows of several names -> rows of all of them: each with each, where what they share agrees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from indexer.adapters.recipes.program import Row
from indexer.errors import CallFailed


def joined(tables: Sequence[Sequence[Row]], limit: int) -> list[Row]:
    """The natural join. Raises CallFailed for more than `limit` rows. No table: one empty row."""
    rows: list[Row] = [{}]
    for table in tables:
        rows = _pairs(rows, table, limit)
    return rows


def _pairs(left: Sequence[Row], right: Sequence[Row], limit: int) -> list[Row]:
    if left == [{}]:
        return list(right)
    found: list[Row] = []
    for row in _matching(left, right):
        found.append(row)
        if len(found) > limit:
            raise CallFailed(f"more than {limit} combinations of items: more than max_items")
    return found


def _matching(left: Sequence[Row], right: Sequence[Row]) -> Iterator[Row]:
    """Rows of both sides may have different columns, where steps of one name have different sources."""
    shapes: dict[frozenset[str], list[Row]] = defaultdict(list)
    for row in right:
        shapes[frozenset(row)].append(row)
    indexes: dict[tuple[str, ...], dict[tuple[object, ...], list[Row]]] = {}
    for shape, rows in shapes.items():
        indexes.clear()
        for row in left:
            common = tuple(sorted(shape & row.keys()))
            if common not in indexes:
                indexes[common] = _index(rows, common)
            for other in indexes[common].get(tuple(row[column] for column in common), ()):
                yield {**row, **other}


def _index(rows: Sequence[Row], columns: Sequence[str]) -> dict[tuple[object, ...], list[Row]]:
    index: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        index[tuple(row[column] for column in columns)].append(row)
    return index
