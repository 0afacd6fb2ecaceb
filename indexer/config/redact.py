"""Text without secrets. Endpoint URLs refuse to print themselves; this catches what comes back in the words of others.

Of a URL only scheme, host and port are left, and of a URL it was told to hide not a single piece. Every endpoint cleans
its provider's words with it, and the command line everything it prints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://([^\s'\"<>]*)", re.IGNORECASE)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(:\d+)?", re.IGNORECASE)
_PLAIN_WORD = re.compile(r"[a-z_.-]{1,19}|.{1,5}", re.DOTALL)
_PUBLIC_SCHEMES = ("sqlite",)


@dataclass(slots=True)
class Redactor:
    """Takes out every URL's credentials, path and query, and every piece of the URLs it was told to hide."""

    _pieces: set[str] = field(default_factory=set)

    def hide(self, url: str) -> None:
        """Remember the secret pieces of a URL, so that they are found without it too."""
        self._pieces |= secret_pieces(url)

    def __call__(self, text: str) -> str:
        for piece in sorted(self._pieces, key=len, reverse=True):
            text = text.replace(piece, "…")
        return _URL.sub(_bare, text)


def secret_pieces(url: str) -> set[str]:
    """The password, and what in path and query looks like a key: short or plain lower-case words do not."""
    parts = urlsplit(url)
    candidates = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    pieces = {piece for piece in candidates if piece and not _PLAIN_WORD.fullmatch(piece)}
    if parts.password:
        pieces |= {parts.password, unquote(parts.password)}
    return pieces


def _bare(match: re.Match[str]) -> str:
    scheme, rest = match[1], match[2]
    if scheme.lower().partition("+")[0] in _PUBLIC_SCHEMES:
        return match[0]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    tail = "/…" if len(rest) > len(authority) + 1 else ""
    return f"{scheme}://{host if _HOST.fullmatch(host) else '…'}{tail}"
