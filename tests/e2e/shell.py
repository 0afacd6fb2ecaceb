"""The command as a process of its own, as the shell starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from threading import Timer

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def tvl(config: Path, *arguments: str) -> CompletedProcess[str]:
    """Run a verb to its end."""
    with started(config, *arguments) as process:
        return _ended(process)


def tvl_until(said: str, config: Path, *arguments: str, by: signal.Signals = signal.SIGTERM) -> CompletedProcess[str]:
    """Run a verb until it has said something on stderr, then stop it by a signal."""
    heard = []
    with started(config, *arguments) as process:
        watchdog = Timer(PATIENCE_S, process.kill)
        watchdog.start()
        assert process.stderr is not None
        for line in process.stderr:
            heard.append(line)
            if said in line:
                process.send_signal(by)
                break
        done = _ended(process)
        watchdog.cancel()
    return CompletedProcess(done.args, done.returncode, done.stdout, "".join(heard) + done.stderr)


@contextmanager
def started(config: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A running verb; killed if it is still there at the end."""
    command = [sys.executable, "-m", "indexer", "--config", str(config), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _ended(process: subprocess.Popen[str]) -> CompletedProcess[str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return CompletedProcess(process.args, process.returncode, out, err)
