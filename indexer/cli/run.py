"""`tvl run`: the daemon in the foreground, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import click

from indexer.cli.options import Options, Verb
from indexer.errors import Permanent

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from indexer.run.program import Program

WARNINGS = 10
"""Contracts that several deployments count: as many are named as the daemon starts."""

STOP_WITHIN_S = 4.0
"""After this the process ends whatever still runs: the store's transactions leave no block half-written."""


class AllHalted(Permanent):
    """Every chain has halted: each said why in the log."""

    hint = "Mend what the log names, then start again: it goes on where it stopped."


@click.command("run", cls=Verb)
@click.pass_obj
def run(options: Options) -> None:
    """Follow every configured chain and store a snapshot of each protocol whenever it is due.

    Runs until SIGTERM (exit code 0) or Ctrl-C (130), and goes on where it stopped at the next start, also after a
    crash. One chain's trouble leaves the others alone; when every chain has halted, it ends with exit code 1. A store
    takes one daemon at a time; `tvl backfill` may run beside it.
    """
    log = options.log()
    program = options.program()
    deadline = Deadline()
    try:
        asyncio.run(_until_told(_daemon(options, program, log), log, deadline))
    finally:
        deadline.met()


class Deadline:
    """Ends the process if it does not end by itself in time: for work that does not let itself be cancelled."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def start(self, exit_code: int) -> None:
        """From now on, `STOP_WITHIN_S` are left."""
        self._timer = threading.Timer(STOP_WITHIN_S, os._exit, args=(exit_code,))
        self._timer.daemon = True
        self._timer.start()

    def met(self) -> None:
        """It ended by itself."""
        if self._timer is not None:
            self._timer.cancel()


async def _until_told(work: Coroutine[Any, Any, None], log: FilteringBoundLogger, deadline: Deadline) -> None:
    """Do it until SIGTERM, which is a good end. SIGINT comes through as KeyboardInterrupt."""
    task = asyncio.create_task(work)
    terminated = asyncio.Event()

    def stop() -> None:
        log.info("stopping", signal="SIGTERM")
        terminated.set()
        deadline.start(exit_code=0)
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not terminated.is_set():
            deadline.start(exit_code=130)
            raise
        log.info("stopped")


async def _daemon(options: Options, program: Program, log: FilteringBoundLogger) -> None:
    from indexer.run import daemon

    _say_hello(options, program, log)
    async with options.store(program.settings) as store:
        if not await daemon.run(program, store, log):
            raise AllHalted


def _say_hello(options: Options, program: Program, log: FilteringBoundLogger) -> None:
    log.info(
        "starting",
        config=str(options.config_file()),
        store=program.settings.store.url,
        chains=", ".join(program.chains),
        deployments=", ".join(deployment.key for deployment in program.deployments),
    )
    shared = program.shared_contracts()
    for one in shared[:WARNINGS]:
        names = ", ".join(one.deployments)
        log.warning("counted twice", chain=one.chain, contract=one.contract, deployments=names)
    if len(shared) > WARNINGS:
        log.warning("counted twice", more=len(shared) - WARNINGS, hint="`tvl check` names all of them")
