"""The command `tvl`: verbs by name, global options, and the one place where errors are caught.

A verb's module is imported when the verb is called; the table below is all that `tvl --help` needs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from indexer import __version__
from indexer.cli.failing import INTERRUPTED, Told, told
from indexer.cli.options import Options, global_options
from indexer.cli.redact import redacted_output
from indexer.run.collector import look_seldom

VERBS = {
    "init": "Write a commented configuration that works.",
    "check": "Test configuration, endpoints, feeds and store; or read one protocol now.",
    "price": "Price one token by its oracles, now or in the past, and explain it.",
    "protocols": "List and search the shipped catalog of protocols.",
    "run": "Follow the chains and store a snapshot of each protocol when it is due.",
    "backfill": "Fill past blocks with snapshots, coarse first, then finer.",
    "show": "Show a protocol's stored series, or one snapshot with every factor.",
    "quality": "Show how far stored numbers can be believed, and the headline without what is suspect.",
    "overlap": "Show what is counted twice, with whom, and what is left when each unit counts once.",
    "flows": "Show what flowed in and out, and what else changed the value.",
    "share": "Show each protocol's share of a category, a chain, or everything.",
    "status": "Show how far each chain and each protocol has come.",
}
"""Every verb with its line in `tvl --help`. The verb `x` is the command `x` in `indexer.cli.x`."""

EPILOG = """\b
Exit codes:
  0    done
  1    failed: trying again will not help
  2    wrong usage or configuration
  3    not available right now: try again
  130  interrupted
"""


class App(click.Group):
    """The group of verbs. Imports a verb only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which they are met."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(import_module(f"indexer.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with suggestions from the verbs that are not imported."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=VERBS, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of verbs, from their names alone."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb. Whatever it raises becomes `Told`."""
        options = ctx.ensure_object(Options)
        look_seldom()
        try:
            with redacted_output(options.redact):
                result = super().invoke(ctx)
                sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except (KeyboardInterrupt, click.Abort):
            raise Told("interrupted", INTERRUPTED) from None
        except Exception as error:
            raise told(error, options.redact, bool(options.verbose)) from None
        return result


HELP = """Total value locked, computed by you: read from contracts at a pinned block, priced by on-chain oracles.

Start with `tvl init`, then `tvl check`, then `tvl run`. Options of this page may also stand behind a verb.
"""

main = click.version_option(__version__, prog_name="tvl")(
    App(
        "tvl",
        params=global_options(),
        help=HELP,
        epilog=EPILOG,
        subcommand_metavar="VERB [ARGS]...",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
)
