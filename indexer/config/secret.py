"""An endpoint URL that cannot print itself: keys live in its path, its query, its user part, even its subdomain.

Every way of turning it into text shows scheme, registered host and a short digest. Only `reveal()` gives the URL, and
only the line that opens the connection calls it.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

_SCHEMES = frozenset({"http", "https", "ws", "wss"})


class Secret:
    """The URL of an endpoint. Equal by URL; shown, formatted, copied and pickled as its `label` alone."""

    __slots__ = ("_label", "_url")

    def __init__(self, url: str) -> None:
        """Raises ValueError, without the text, where it is not an http(s) or ws(s) URL with a host."""
        self._url = url.strip()
        self._label = _label(self._url)

    @property
    def label(self) -> str:
        """`https://alchemy.com#3f9a1c`: enough to tell two endpoints apart, nothing that opens one."""
        return self._label

    def reveal(self) -> str:
        """The URL itself. For the call that opens the connection, and nothing else."""
        return self._url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._url == self._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __repr__(self) -> str:
        return f"<{self._label}>"

    def __str__(self) -> str:
        return self._label

    def __format__(self, spec: str) -> str:
        return format(self._label, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (self._label,)

    def __getstate__(self) -> NoReturn:
        raise TypeError("the URL of an endpoint is not for storing")


def _label(url: str) -> str:
    parts, host = _parts(url)
    digest = hashlib.sha256(url.encode()).hexdigest()[:6]
    return f"{parts.scheme}://{_public(host)}#{digest}"


def _parts(url: str) -> tuple[SplitResult, str]:
    """The URL's parts and host. No message of urllib's comes through: they quote what they could not read."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = SplitResult("", "", "", "", ""), ""
    if parts.scheme not in _SCHEMES or not host:
        raise ValueError("not an endpoint: expected http://, https://, ws:// or wss:// and a host")
    return parts, host


def _public(host: str) -> str:
    """The host as far as it is nobody's secret: an address, or the last two names (some keys are subdomains)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return ".".join(host.split(".")[-2:])
    return host
