"""`tvl protocols`: what the shipped catalog holds, searched; and which of it the configuration reads.

Needs no configuration and asks no node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from indexer.cli import exact
from indexer.cli.options import Options, Verb
from indexer.cli.table import FIRST_ROWS, echo_table, numbers, words
from indexer.errors import ConfigError

if TYPE_CHECKING:
    from indexer.config.protocols import Shipped

_NAMED_CHAINS = 4
_NAMED_OTHERS = 8


@click.command("protocols", cls=Verb)
@click.argument("search", required=False, default="")
@click.option("--chain", default="", metavar="NAME", help="Only on this chain.")
@click.option("--kind", default="", metavar="NAME", help="Only what this kind reads.")
@click.option("--category", default="", metavar="NAME", help="Only this category.")
@click.option("--all", "everything", is_flag=True, help="Do not cut long lists.")
@click.option("--json", "as_json", is_flag=True, help="JSON, a deployment each, with its parameters.")
@click.pass_obj
def protocols(
    options: Options, *, search: str, chain: str, kind: str, category: str, everything: bool, as_json: bool
) -> None:
    """List the protocols of the shipped catalog, or those with SEARCH in their name.

    A protocol's whole name shows its deployments, and NAME@CHAIN one of them as it would stand in a configuration.
    Those that the configuration reads are marked: `[select]` in it takes protocols from here by name, category, kind or
    chain.

    \b
      tvl protocols
      tvl protocols aave --chain ethereum
      tvl protocols aave-v3
      tvl protocols aave-v3@base
      tvl protocols --category lending --kind aave_v3 --json
    """
    from indexer.config.protocols import shipped

    wanted = {"chain": chain, "kind": kind, "category": category}
    rows = [row for row in shipped() if all(getattr(row, part) == value for part, value in wanted.items() if value)]
    found = _found(rows, search)
    used = _used(options)
    if as_json:
        exact.echo_json([_json(row, used) for row in found])
    elif not found:
        click.echo(_nothing(search, wanted))
    elif len(found) > 1 and not found[0].is_named((search,)):
        _echo_protocols(found, used, everything)
    else:
        _echo_deployments(found, used) if len(found) > 1 else _echo_row(found[0], used)
        _echo_others(found[0].name, rows)


def _found(rows: Sequence[Shipped], search: str) -> list[Shipped]:
    """The rows of that very name; else those that have it in their name."""
    return [row for row in rows if row.is_named((search,))] or [row for row in rows if search.lower() in row.key]


def _used(options: Options) -> set[str]:
    """The deployments that the configuration reads; none where there is no configuration that can be read."""
    from indexer.config.load import load

    try:
        settings = load(options.config_file()).settings
    except ConfigError:
        return set()
    return {row.key for row in settings.protocols} if settings else set()


def _nothing(search: str, wanted: Mapping[str, str]) -> str:
    """What was not found, and what may have been meant."""
    from indexer.config.protocols import guess, shipped

    told = [f"{search!r} in its name", *(f"{part} {value}" for part, value in wanted.items() if value)]
    hints = [
        f"no {part} of the catalog is {value!r}; {guess(value, there)}"
        for part, value in wanted.items()
        if value and value not in (there := sorted({getattr(row, part) for row in shipped()}))
    ]
    names = sorted({row.name for row in shipped()})
    last = hints or [guess(search, names), "It may be a row of your own: see docs/reference/kinds.md."]
    return "\n".join([f"No protocol of the catalog has {' and '.join(told[not search :])}.", *last])


def _echo_protocols(rows: Sequence[Shipped], used: set[str], everything: bool) -> None:
    """A line a protocol."""
    groups = [[*group] for _, group in groupby(rows, key=lambda row: row.name)]
    shown = groups if everything else groups[:FIRST_ROWS]
    table = [
        [group[0].name, group[0].category, _few({row.kind for row in group}), _few({row.chain for row in group}),
         str(len(group)), str(sum(row.key in used for row in group) or "")]
        for group in shown
    ]  # fmt: skip
    echo_table([*words("protocol", "category", "kinds", "chains"), *numbers("deployments", "read here")], table)
    if len(groups) > len(shown):
        click.echo(f"… and {len(groups) - len(shown)} more (--all), {len(rows)} deployments in all")


def _echo_deployments(rows: Sequence[Shipped], used: set[str]) -> None:
    """A line a deployment of one protocol."""
    table = [
        [row.key, row.kind, row.category, str(row.first_block or ""), "yes" if row.key in used else "", _summary(row)]
        for row in rows
    ]
    named = [*words("deployment", "kind", "category"), *numbers("first block"), *words("read here", "parameters")]
    echo_table(named, table)


def _echo_row(row: Shipped, used: set[str]) -> None:
    """One deployment, as it would stand in a configuration."""
    click.echo(f"# {row.key} of the catalog, {'read' if row.key in used else 'not read'} by this configuration")
    click.echo("[[protocols]]")
    click.echo(row.text.partition("\n# ")[0].strip())


def _echo_others(name: str, rows: Sequence[Shipped]) -> None:
    """The protocols whose longer names have this one in them."""
    others = sorted({row.name for row in rows if name in row.name and row.name != name})
    if others:
        more = f" and {len(others) - _NAMED_OTHERS} more" if len(others) > _NAMED_OTHERS else ""
        click.echo(f"\nSee also: {', '.join(others[:_NAMED_OTHERS])}{more}")


def _summary(row: Shipped) -> str:
    """A row's parameters in a few words: an address, or how many."""
    told = row.settings().params.items()
    return ", ".join(f"{key}: {value if isinstance(value, str | int) else len(value)}" for key, value in told)


def _few(names: set[str]) -> str:
    listed = sorted(names)
    more = f" +{len(listed) - _NAMED_CHAINS}" if len(listed) > _NAMED_CHAINS else ""
    return ", ".join(listed[:_NAMED_CHAINS]) + more


def _json(row: Shipped, used: set[str]) -> exact.Json:
    return {
        "deployment": row.key,
        "protocol": row.name,
        "chain": row.chain,
        "label": row.label,
        "kind": row.kind,
        "category": row.category,
        "first_block": row.first_block or None,
        "read_here": row.key in used,
        "parameters": row.settings().params,
    }
