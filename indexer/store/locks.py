"""Locks between processes on one machine, by flock: the kernel gives them back when their holder ends, however.

Nothing is ever stale, so nothing is broken open. Lock files stay where they are: removing one would let two hold it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path

from indexer.errors import StoreBusy, StoreInUse, clean

_LONGEST_NAP_S = 0.05


class FileLock:
    """An exclusive lock on a file of its own. Not for network file systems."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free. Raises OSError where the file cannot be opened for writing."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return True

    async def acquire(self, timeout_s: float) -> None:
        """Take the lock, waiting for it at most `timeout_s`. Raises StoreBusy."""
        until = time.monotonic() + timeout_s
        nap_s = 0.001
        while not self.try_acquire():
            if time.monotonic() > until:
                raise StoreBusy(f"another process kept the write lock for {timeout_s:g} s", lock=self.path.name)
            await asyncio.sleep(nap_s)
            nap_s = min(nap_s * 1.5, _LONGEST_NAP_S)

    def release(self) -> None:
        """Give the lock back; nothing where it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def write(self, text: str) -> None:
        """Leave a note in the held lock's file, for whoever is refused."""
        assert self._fd is not None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def read(self) -> str:
        """The note of whoever holds the lock."""
        return clean(self.path.read_text(encoding="utf-8", errors="replace"), 64)


def take_lease(path: Path) -> FileLock:
    """The lease at `path`, with our process id in it. Raises StoreInUse at once where another holds it."""
    lock = FileLock(path)
    if not lock.try_acquire():
        raise StoreInUse(f"another process holds the lease: pid {lock.read() or 'unknown'}", lease=path.name)
    lock.write(str(os.getpid()))
    return lock
