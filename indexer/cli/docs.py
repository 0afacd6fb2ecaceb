"""`python -m indexer.cli.docs [FILE]` writes the reference of the command line from its own `--help`."""

from __future__ import annotations

import argparse
from pathlib import Path

from indexer.cli.app import VERBS, main

DEFAULT_FILE = Path("docs/reference/cli.md")
WIDTH = 100
HEAD = """\
# The command line

Written by `python -m indexer.cli.docs` from the program's own help; a test fails when the two differ.
"""


def reference() -> str:
    """The page, in Markdown."""
    return "\n".join([HEAD, *(_section(name) for name in ("", *VERBS))])


def _section(verb: str) -> str:
    name = f"tvl {verb}".strip()
    return f"## {name}\n\n```\n{_help(verb)}\n```\n"


def _help(verb: str) -> str:
    root = main.make_context("tvl", [], resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH)
    command = main.get_command(root, verb)
    if command is None:
        return root.get_help()
    return command.make_context(verb, [], parent=root, resilient_parsing=True).get_help()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m indexer.cli.docs", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT_FILE, help="default: %(default)s")
    target = parser.parse_args().file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(reference(), "utf-8")
