"""Standard streams through which no secret passes: the last line of defence in front of the terminal and the log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

from indexer.config.redact import Redactor


class RedactedStream:
    """A text stream through which no secret passes. A write is looked at by itself, so write whole texts."""

    def __init__(self, stream: TextIO, redact: Redactor) -> None:
        self._stream, self._redact = stream, redact

    def write(self, text: str) -> int:
        """Write what may be seen of the text."""
        self._stream.write(self._redact(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def redacted_output(redact: Redactor) -> Iterator[None]:
    """Everything on stdout and stderr passes the redactor."""
    out, err = (cast(TextIO, RedactedStream(stream, redact)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield
