"""What tells the deployments of one protocol on one chain apart.

Labels are made of all live rows, whether they are read or not, so that a kind that comes later renames none.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tools.protocol_rows import Row

BUCKET_ORDER = ("tvl", "borrowed", "staking", "pool2", "vesting", "treasury", "ownTokens")
PART = {"tvl": "", "borrowed": "", "treasury": "", "ownTokens": "own"}
"""How a deployment's label begins, where it is not the registry's word for the bucket."""


def bucket_order(row: Row) -> int:
    """Where a row's bucket stands among those of its protocol."""
    return BUCKET_ORDER.index(row.bucket)


def labels_of(rows: Sequence[Row]) -> list[str]:
    """Each row's label: the bucket, then the kind, then a number, as far as they are needed."""
    parts: dict[tuple[str, int], dict[tuple[str, str, str], None]] = defaultdict(dict)
    for row in sorted(rows, key=bucket_order):
        parts[row.name, row.chain_id].setdefault(_part(row))
    return [_label(_part(row), list(parts[row.name, row.chain_id])) for row in rows]


def _part(row: Row) -> tuple[str, str, str]:
    return PART.get(row.bucket, row.bucket), row.kind, canonical(row.params)


def _label(part: tuple[str, str, str], parts: Sequence[tuple[str, str, str]]) -> str:
    of_bucket = [other for other in parts if other[0] == part[0]]
    of_kind = [other for other in of_bucket if other[1] == part[1]]
    kind = part[1].replace("_", "-") if len(of_bucket) > len(of_kind) else ""
    number = str(of_kind.index(part) + 1) if len(of_kind) > 1 else ""
    return "-".join(filter(None, (part[0], kind, number)))


def canonical(params: Mapping[str, Any]) -> str:
    """Parameters as text: the same for the same."""
    return json.dumps(params, sort_keys=True).lower()
