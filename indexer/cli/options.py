"""What every verb starts from: the global options, and the configuration, store and log that they lead to.

Heavy rooms are imported when they are asked for, so that `--help` stays quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from indexer.config.redact import Redactor
from indexer.errors import ConfigError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from indexer.config.schema import Settings
    from indexer.run.program import Program
    from indexer.store.base import Store

CONFIG_NAME = "config.toml"


@dataclass(slots=True)
class Options:
    """The global options of one call. They may stand before the verb or behind it."""

    config: Path | None = None
    log_format: str | None = None
    verbose: int = 0
    redact: Redactor = field(default_factory=Redactor)

    def config_file(self) -> Path:
        """The configuration to use. Raises ConfigError where there is none to be found."""
        if self.config is not None:
            return self.config
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / CONFIG_NAME).is_file():
                return folder / CONFIG_NAME
        raise ConfigError(
            f"there is no {CONFIG_NAME} in this folder or above it",
            hint="`tvl init` writes one; `--config FILE` or $TVL_CONFIG names another.",
        )

    def settings(self) -> Settings:
        """The configuration as far as the store needs it. Raises ConfigError with every problem."""
        from indexer.config.load import load

        return self._hide_secrets(load(self.config_file()).checked())

    def program(self) -> Program:
        """The whole configuration, with every adapter's and oracle's parameters checked. Raises ConfigError."""
        from indexer.run.program import load_program

        program = load_program(self.config_file())
        self._hide_secrets(program.settings)
        return program

    def store(self, settings: Settings) -> Store:
        """The configured store, not open yet. A relative path is relative to the configuration file."""
        from indexer.store import open_store

        return open_store(settings.store.url, self.config_file().parent)

    def store_exists(self, settings: Settings) -> bool:
        """Whether there is a store already; opening one that is not there makes it."""
        from indexer.store import is_there

        return is_there(settings.store.url, self.config_file().parent)

    def log(self, least: Literal["info", "warning", "error"] = "info") -> FilteringBoundLogger:
        """The log on stderr, in the chosen format. Shows what is `least` or worse; with -v, everything."""
        from indexer.cli.logs import LEVELS, open_log

        return open_log(self.log_format, LEVELS["debug" if self.verbose else least], self.redact)

    def _hide_secrets(self, settings: Settings) -> Settings:
        for chain in settings.chains.values():
            for url in [*chain.endpoints, chain.websocket]:
                if url is not None:
                    self.redact.hide(url.reveal())
        self.redact.hide(settings.store.url)
        return settings


def _set(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value not in (None, 0) and parameter.name:
        setattr(ctx.ensure_object(Options), parameter.name, value)


def global_options(hidden: bool = False) -> list[click.Parameter]:
    """The options that every verb understands, written into the call's `Options` as they are met."""
    return [
        click.Option(
            ["--config", "-c"],
            type=click.Path(dir_okay=False, path_type=Path),
            envvar=None if hidden else "TVL_CONFIG",
            callback=_set,
            expose_value=False,
            hidden=hidden,
            metavar="FILE",
            help="The configuration. Default: $TVL_CONFIG, else config.toml in this folder or the nearest one above.",
        ),
        click.Option(
            ["--log-format"],
            type=click.Choice(["console", "json"]),
            callback=_set,
            expose_value=False,
            hidden=hidden,
            help="How log lines look on stderr. Default: console on a terminal, json in a pipe.",
        ),
        click.Option(
            ["--verbose", "-v"],
            count=True,
            callback=_set,
            expose_value=False,
            hidden=hidden,
            help="Log details, and show where in the program an error came from.",
        ),
    ]


class Verb(click.Command):
    """A verb: it takes the global options behind its name too, without listing them again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(hidden=True))
