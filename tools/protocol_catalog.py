"""The recorded registry of deployments -> the shipped protocol catalog: `indexer/config/catalog/protocols/<kind>.toml`.

Reads `tools/data/` (see its README) and never asks a node or the web:

- `protocols.jsonl.xz`: what DefiLlama's adapters read, as facts; `protocol_kinds.py` says which of our kinds reads it.
- `protocols.toml`: protocols that the registry lacks, written by hand, each with its source.
- `categories.csv`: what a protocol is, where its kind does not say it.

Every row that comes out is one that the program accepts. To change the catalog, change what is read, then run

    python -m tools.protocol_catalog            # write the files, and docs/reference/coverage.md
    python -m tools.protocol_catalog check      # say what is wrong, or not up to date
    python -m tools.protocol_catalog report     # say what was left out, and why
"""

from __future__ import annotations

import csv
import json
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from indexer.adapters.registry import ParamErrors, kinds, parse_params
from indexer.config.load import catalog
from indexer.config.schema import BITCOIN, DeploymentSettings
from indexer.config.types import checksum
from indexer.model import Address
from tools.price_catalog import CATALOG
from tools.protocol_kinds import readings
from tools.protocol_parts import OWNED, PRICED, Reading
from tools.protocol_rows import DATA, LeftOut, Row, read_rows

SHOWN_IN_A_LINE = 2

HEAD = """\
# Deployments that `{kind}` reads. Written by tools/protocol_catalog.py: change what it reads, not this file.
# Above a row: the adapter in DefiLlama/DefiLlama-Adapters at 1eb4e81 (2026-08-22) whose addresses and blocks it carries
# over, none of them checked on chain. Or the sources of a row written by hand.
"""

CATEGORIES = {
    "dex": (
        *("uniswap_v2", "uniswap_v2_stable", "uniswap_v3", "algebra", "slipstream_cl", "trader_joe_lb", "iziswap"),
        *("balancer_v1", "balancer_v2", "balancer_v3"),
    ),
    "lending": (*("aave_v3", "aave_v2_registry", "aave_v2_pool", "aave_v4", "compound_v2", "compound_v3", "fraxlend"),),
    "cdp": ("liquity_v1", "liquity_v2"),
    "derivatives": ("gmx_v1", "gmx_v2"),
    "curator": ("curator",),
    "yield": ("erc4626", "vault_token_balance", "boring_vault", "masterchef_vaults"),
    "farm": ("masterchef",),
    "treasury": ("treasury",),
}
"""What a protocol is by the kinds of its contracts in the registry; the first that fits."""

ONLY_STAKING = {"single_asset_staking"}
"""The kinds of a protocol of which nothing is known but that its token is staked."""

BUCKET_ORDER = ("tvl", "borrowed", "staking", "pool2", "vesting", "treasury", "ownTokens")
PART = {"tvl": "", "borrowed": "", "treasury": "", "ownTokens": "own"}
"""How a deployment's label begins, where it is not the registry's word for the bucket."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A deployment of the catalog, the rows of the registry that it reads, and other names that have the same."""

    name: str
    chain: str
    category: str
    label: str
    reading: Reading
    source: str
    rows: tuple[int, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Unique in the catalog."""
        return self.name, self.chain, self.label


@dataclass(frozen=True, slots=True)
class Result:
    """The catalog: its entries, and for every live row that is not read the reason why.

    `waiting` are rows written by hand that the program does not read yet.
    """

    rows: Sequence[Row]
    chains: Mapping[int, str]
    entries: Sequence[Entry]
    left: Mapping[int, str]
    waiting: Sequence[str] = ()
    problems: Sequence[str] = ()


@dataclass(slots=True)
class _Draft:
    """What is known of each live row while the catalog is made: its readings, or why there are none."""

    rows: Sequence[Row]
    readings: dict[int, Sequence[Reading]] = field(default_factory=dict)
    left: dict[int, str] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    """Write, check or report. The exit code is 1 where something is wrong."""
    from tools.protocol_coverage import PAGE, page, report

    result = build()
    told = [*files(result), (PAGE, page(result))]
    problems = list(result.problems)
    if arguments == ["report"]:
        print(report(result))
    elif arguments == ["check"]:
        problems += [f"{path} is not what the tables say" for path, text in told if not _is(path, text)]
    elif not problems:
        for path, text in told:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    print("\n".join(problems) or f"{len(result.entries)} deployments, {len(result.left)} rows left out")
    return 1 if problems else 0


def build(folder: Path = DATA) -> Result:
    """The catalog of the tables in a folder."""
    rows = [row for row in read_rows(folder / "protocols.jsonl.xz") if row.live]
    chains = {int(chain["chain_id"]): name for name, chain in catalog("chains").items()}
    draft = _Draft(rows)
    for i, row in enumerate(rows):
        try:
            draft.readings[i] = _accepted(row, chains)
        except LeftOut as reason:
            draft.left[i] = str(reason)
    _leave_out_parts(draft)
    by_hand, waiting = _by_hand(folder / "protocols.toml")
    categories = _categories(rows, folder) | {entry.name: entry.category for entry in by_hand}
    entries = _one_name_each([*by_hand, *_merged(draft, chains, categories)])
    everything = sorted(entries, key=lambda entry: entry.key)
    return Result(rows, chains, everything, draft.left, waiting, [*_problems(everything)])


def files(result: Result) -> Iterator[tuple[Path, str]]:
    """Every file of the catalog, and what it has to say."""
    by_kind: dict[str, list[Entry]] = defaultdict(list)
    for entry in result.entries:
        by_kind[entry.reading.kind].append(entry)
    for kind, entries in sorted(by_kind.items()):
        text = "\n".join([HEAD.format(kind=kind), *map(toml_of, entries)])
        yield CATALOG / "protocols" / f"{kind}.toml", text


def toml_of(entry: Entry) -> str:
    """An entry as a table of a configuration."""
    given = {
        "name": entry.name,
        "chain": entry.chain,
        "kind": entry.reading.kind,
        "category": entry.category,
        "label": entry.label,
        "first_block": entry.reading.first_block,
        **entry.reading.params,
    }
    also = [f"# the same contracts as {', '.join(entry.also)}"] if entry.also else []
    lines = [f"{key} = {_toml(value)}" for key, value in given.items() if value not in ("", 0, [])]
    return "\n".join([f"# {entry.source}", *also, "[[protocols]]", *lines, ""])


def _accepted(row: Row, chains: Mapping[int, str]) -> Sequence[Reading]:
    """The readings of a row, if the program has the kinds and they accept the parameters. Raises LeftOut."""
    if row.chain_id not in chains:
        raise LeftOut("the chain is not in the catalog")
    found = readings(row)
    for reading in found:
        _check(reading, chains[row.chain_id])
    return found


def _check(reading: Reading, chain: str) -> None:
    """Raises LeftOut where the program does not have the kind, or the kind refuses the parameters."""
    if reading.kind not in _kinds():
        raise LeftOut(f"the program has no kind `{reading.kind}` yet")
    params = dict(reading.params)
    if params.get("tokens") == PRICED:
        params["tokens"] = [token["address"] for token in catalog(f"tokens/{chain}").values()]
        params["tokens"] = sorted({address.lower() for address in params["tokens"]} - {BITCOIN})
        if not params["tokens"]:
            raise LeftOut("its tokens are found by a web service, and no token of the chain is priced here")
    try:
        parse_params(reading.kind, params)
    except ParamErrors as error:
        path, sentence = error.problems[0]
        where = f"`{path[0]}` " if path else ""
        raise LeftOut(f"`{reading.kind}` refuses {where}({sentence.partition(';')[0].partition(':')[0]})") from None


@cache
def _kinds() -> frozenset[str]:
    return frozenset(kinds())


def _leave_out_parts(draft: _Draft) -> None:
    """A number of which a part cannot be read is left out whole: it would be too small without a word."""
    groups: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    for i, row in enumerate(draft.rows):
        groups[row.name, row.chain_id, row.bucket].append(i)
    for group in groups.values():
        if any(i in draft.left for i in group):
            for i in group:
                draft.left.setdefault(i, "another part of the same number is left out")
                draft.readings.pop(i, None)


def _merged(draft: _Draft, chains: Mapping[int, str], categories: Mapping[str, str]) -> Iterator[Entry]:
    """One entry for rows that are read by the same reading (such as base and borrowed of a market)."""
    labels = _labels(draft.rows)
    found: dict[tuple[str, str, str, str], Entry] = {}
    order = sorted(draft.readings, key=lambda i: BUCKET_ORDER.index(draft.rows[i].bucket))
    for i in order:
        row = draft.rows[i]
        for n, reading in enumerate(draft.readings[i], 1):
            key = row.name, chains[row.chain_id], reading.kind, _canonical(reading.params)
            label = labels[i] if len(draft.readings[i]) == 1 else "-".join(filter(None, (labels[i], str(n))))
            known = found.get(key)
            rows = (*known.rows, i) if known else (i,)
            found[key] = Entry(
                name=row.name,
                chain=key[1],
                category=categories[row.name],
                label=known.label if known else label,
                reading=known.reading if known else reading,
                source=row.source,
                rows=rows,
            )
    yield from found.values()


def _labels(rows: Sequence[Row]) -> list[str]:
    """What tells deployments of one protocol and chain apart: the bucket, then the kind, then a number.

    Of all live rows, whether they are read or not, so that a kind that comes later renames none.
    """
    parts: dict[tuple[str, int], dict[tuple[str, str, str], None]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: BUCKET_ORDER.index(row.bucket)):
        parts[row.name, row.chain_id].setdefault(_part(row))
    return [_label(_part(row), list(parts[row.name, row.chain_id])) for row in rows]


def _part(row: Row) -> tuple[str, str, str]:
    return PART.get(row.bucket, row.bucket), row.kind, _canonical(row.params)


def _label(part: tuple[str, str, str], parts: Sequence[tuple[str, str, str]]) -> str:
    of_bucket = [other for other in parts if other[0] == part[0]]
    of_kind = [other for other in of_bucket if other[1] == part[1]]
    kind = part[1].replace("_", "-") if len(of_bucket) > len(of_kind) else ""
    number = str(of_kind.index(part) + 1) if len(of_kind) > 1 else ""
    return "-".join(filter(None, (part[0], kind, number)))


def _one_name_each(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Contracts that stand under several names keep the first of them, so that no choice of names counts them twice."""
    same: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        same[entry.chain, entry.reading.kind, _canonical(entry.reading.params)].append(entry)
    for first, *others in (sorted(group, key=_rank) for group in same.values()):
        rows = tuple(i for entry in (first, *others) for i in entry.rows)
        also = tuple(sorted({entry.name for entry in others} - {first.name}))
        yield Entry(
            first.name, first.chain, first.category, first.label, first.reading, first.source, rows=rows, also=also
        )


def _rank(entry: Entry) -> tuple[bool, bool, str]:
    """Names written by hand first, those of treasuries last."""
    return bool(entry.rows), entry.name.startswith(OWNED), entry.name


def _categories(rows: Iterable[Row], folder: Path) -> dict[str, str]:
    """Every protocol's category: by the table, else by the kinds of its contracts."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        kinds[row.name].add("treasury" if row.slug.partition("/")[0] in OWNED else row.kind)
    with (folder / "categories.csv").open(encoding="utf-8", newline="") as lines:
        told = {row["name"]: row["category"] for row in csv.DictReader(lines, strict=True)}
    return {name: told.get(name) or _by_kind(found) for name, found in kinds.items()}


def _by_kind(kinds: set[str]) -> str:
    usual = "staking" if kinds == ONLY_STAKING else "other"
    return next((category for category, of in CATEGORIES.items() if kinds.intersection(of)), usual)


def _by_hand(file: Path) -> tuple[list[Entry], list[str]]:
    """Protocols that the registry lacks; and those of them that the program does not read yet, with the reason."""
    entries, waiting = [], []
    for table in tomllib.loads(file.read_text("utf-8")).get("protocols", ()):
        source = table.pop("source")
        row = DeploymentSettings.model_validate(table)
        reading = Reading(row.kind, row.params, row.first_block)
        try:
            _check(reading, row.chain)
        except LeftOut as reason:
            waiting.append(f"{row.key}: {reason}")
        else:
            entries.append(Entry(row.name, row.chain, row.category, row.label or "", reading, source))
    return entries, waiting


def _problems(entries: Sequence[Entry]) -> Iterator[str]:
    keys = Counter(entry.key for entry in entries)
    yield from (f"{key} stands twice" for key, times in keys.items() if times > 1)


def _canonical(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True).lower()


def _toml(value: Any) -> str:
    if isinstance(value, list) and (len(value) > SHOWN_IN_A_LINE or isinstance(value[0], dict)):
        return "[\n" + "".join(f"    {_toml(item)},\n" for item in value) + "]"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-f]{40}", value):
        return f'"{checksum(Address(value))}"'
    return json.dumps(value, ensure_ascii=False)


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
