"""The recorded registry of deployments -> the shipped protocol catalog: `indexer/config/catalog/protocols/<kind>.toml`.

Reads `tools/data/` (see its README) and never asks a node or the web:

- `protocols.jsonl.xz`: what DefiLlama's adapters read, as facts; `protocol_kinds.py` says which of our kinds reads it.
- `protocols.toml`: protocols that the registry lacks, written by hand, each with its source.
- `curators.csv`: the factories of vaults on each chain.
- `categories.csv`: what a protocol is, where its kind does not say it.

Every row that comes out is one that the program accepts. To change the catalog, change what is read, then run

    python -m tools.protocol_catalog            # write the files, and docs/reference/coverage.md
    python -m tools.protocol_catalog check      # say what is wrong, or not up to date
    python -m tools.protocol_catalog report     # say what was left out, and why
"""

from __future__ import annotations

import csv
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from indexer.adapters.registry import ParamErrors, kinds, parse_params
from indexer.config.load import catalog
from indexer.config.schema import BITCOIN, DeploymentSettings
from tools.price_catalog import CATALOG
from tools.protocol_kinds import readings
from tools.protocol_labels import bucket_order, canonical, labels_of
from tools.protocol_parts import OWNED, PRICED, Reading
from tools.protocol_rows import DATA, LeftOut, Row, read_rows
from tools.protocol_text import Entry, toml_of

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
    labels = labels_of(draft.rows)
    found: dict[tuple[str, str, str, str], Entry] = {}
    order = sorted(draft.readings, key=lambda i: bucket_order(draft.rows[i]))
    for i in order:
        row = draft.rows[i]
        for n, reading in enumerate(draft.readings[i], 1):
            key = row.name, chains[row.chain_id], reading.kind, canonical(reading.params)
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


def _one_name_each(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Contracts that stand under several names keep the first of them, so that no choice of names counts them twice."""
    same: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        same[entry.chain, entry.reading.kind, canonical(entry.reading.params)].append(entry)
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


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
