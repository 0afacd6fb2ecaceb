"""Runs a program that cannot outlive the process that started it, not even when that is killed.
A shell stands watch: it reads a pipe that only the starter holds open, and kills the program when it closes.
(PR_SET_PDEATHSIG would do this on Linux alone, and fires when the starting *thread* ends.)"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence

_WATCH = 'exec 3<&0; (exec >/dev/null 2>&1; read -r _ <&3; kill -KILL $$) & exec 3<&-; exec "$@" </dev/null'


class Guarded:
    """A running program in its own process group, its output read line by line and its last lines kept."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._last_lines: deque[str] = deque(maxlen=50)
        self._drain: threading.Thread | None = None
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def lines(self) -> Iterator[str]:
        """Its output until it ends. When no more is wanted call `drain`, or it will block on a full pipe."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._last_lines.append(line)
            yield line

    def drain(self) -> None:
        """Read and forget the rest of the output in the background."""
        self._drain = threading.Thread(target=deque, args=(self.lines(), 0), daemon=True)
        self._drain.start()

    def last_words(self) -> str:
        return "".join(self._last_lines).strip()

    def kill(self) -> None:
        """End the program at once; its output ends too. `stop` is still to be called."""
        self._signal(signal.SIGKILL)

    def stop(self, patience_s: float = 5.0) -> None:
        """End the program and its watch; may be called twice. Returns when it is gone."""
        atexit.unregister(self.stop)
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._drain is not None:
            self._drain.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
