"""Arguments of a call -> calldata, as strictly as the types say: plain words here, everything else by eth_abi."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from indexer.reads.types import WORD, abi_type

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def encoder(inputs: tuple[str, ...]) -> Callable[[tuple[Any, ...]], bytes]:
    """A function from arguments to their encoding. It raises ValueError where they do not fit the types."""
    if not inputs:
        return _no_arguments
    if all(map(is_plain, inputs)):
        return lambda args: b"".join(map(_word, inputs, _counted(inputs, args)))
    return lambda args: _encode_anything(inputs, _counted(inputs, args))


def _no_arguments(args: tuple[Any, ...]) -> bytes:
    _counted((), args)
    return b""


def _counted(inputs: tuple[str, ...], args: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(inputs) != len(args):
        raise ValueError(f"{len(args)} arguments for {len(inputs)} parameters")
    return args


def is_plain(kind: str) -> bool:
    """Whether an argument of that type is encoded here, as one word."""
    return kind in ("address", "bool") or (kind.startswith(("uint", "int")) and abi_type(kind).is_word)


def _word(kind: str, value: Any) -> bytes:
    if kind == "address":
        if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
            raise ValueError(f"not an address: {str(value)[:80]!r}")
        return bytes(12) + bytes.fromhex(value[2:])
    if not isinstance(value, int) or (kind == "bool" and value not in (0, 1)):
        raise ValueError(f"{str(value)[:80]!r} is no {kind}")
    return _integer(kind, value)


def _integer(kind: str, value: int) -> bytes:
    signed = kind.startswith("int")
    bits = 8 if kind == "bool" else int(kind.removeprefix("u")[3:])
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    if not low <= value < high:
        raise ValueError(f"{value} does not fit {kind}")
    return value.to_bytes(WORD, "big", signed=signed)


def _encode_anything(inputs: tuple[str, ...], args: tuple[Any, ...]) -> bytes:
    from eth_abi.abi import encode
    from eth_abi.exceptions import EncodingError

    try:
        return encode(inputs, args)
    except (EncodingError, TypeError, OverflowError) as error:
        raise ValueError(f"arguments do not fit ({','.join(inputs)}): {error}"[:300]) from error
