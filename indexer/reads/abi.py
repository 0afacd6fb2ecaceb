"""Signatures and ABI fragments -> functions that encode calls and decode answers, and event topics.

Types are checked when a function is made. Decoding gives ints, lower-case addresses, bools, bytes, str and tuples, or
`Failed`: it never raises on hostile data. Answers made of plain words are sliced. Never talks to a node.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, cached_property, lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_hash.auto import keccak

from indexer.errors import clean
from indexer.model import Address, Hash
from indexer.reads.decode import Decode, decode_types, decoder
from indexer.reads.encode import encoder, is_plain
from indexer.reads.plan import Answer, Call
from indexer.reads.types import WORD, abi_type, split_types

CALL_GAS = 40_000
"""Gas expected of a call that says nothing else: a proxy, two cold slots and some arithmetic."""

KEPT_CALLS = 16_384
"""Calls that a function keeps, because the same ones are made at every block."""

TEXT_LENGTH = 32


class Function:
    """A contract function: called with a target and arguments it makes a `Call`; `decode` reads the call's answer.

    One output decodes to its value, several to a tuple; `outputs` None leaves the answer's bytes as they are. `gas` is
    what one call is expected to burn: batches are packed by it. Raises ValueError for types that do not exist.
    """

    def __init__(self, name: str, inputs: Iterable[str], outputs: Iterable[str] | None, *, gas: int = CALL_GAS) -> None:
        self.name = name
        self.inputs = tuple(inputs)
        self.outputs = None if outputs is None else tuple(outputs)
        self.gas = gas
        self.signature = f"{name}({','.join(map(_checked, self.inputs))})"
        self.selector: bytes = keccak(self.signature.encode())[:4]
        self.decode: Decode = decoder(name, self.outputs)
        self._encode = encoder(self.inputs)
        plain = all(map(is_plain, self.inputs))
        self._call = lru_cache(KEPT_CALLS, typed=True)(self._made) if plain else self._made

    def __call__(self, target: Address, *args: Any) -> Call:
        """The call. Raises ValueError where the arguments do not fit the types."""
        return self._call(target, *args)

    def _made(self, target: Address, *args: Any) -> Call:
        return Call(target, self.selector + self._encode(args), self)

    def __repr__(self) -> str:
        return f"{self.signature}({','.join(self.outputs or ())})"

    @cached_property
    def raw(self) -> Function:
        """The same question, its answer left as bytes: for contracts that answer in more than one way."""
        return Function(self.name, self.inputs, None, gas=self.gas)


def function(signature: str, *, gas: int = CALL_GAS) -> Function:
    """`balanceOf(address)(uint256)` as a Function; without outputs (`symbol()`) it answers bytes.

    Raises ValueError for text that is no signature.
    """
    text = signature.replace(" ", "")
    name, bracket, rest = text.partition("(")
    inputs, outputs = _two_lists(bracket + rest)
    if inputs is None or not name.isidentifier():
        raise ValueError(f"not a signature: {signature[:80]!r}; expected such as balanceOf(address)(uint256)")
    return Function(name, split_types(inputs), None if outputs is None else split_types(outputs), gas=gas)


def _two_lists(text: str) -> tuple[str | None, str | None]:
    """`(a,(b))(c)` -> `a,(b)` and `c`; `(a)` -> `a` and None; None and None for other text."""
    depth = 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            rest = text[i + 1 :]
            if char != ")" or (rest and not (rest.startswith("(") and rest.endswith(")"))):
                break
            return text[1:i], rest[1:-1] if rest else None
    return None, None


def topic(event: str) -> Hash:
    """The first topic of an event, such as `Transfer(address,address,uint256)`. Raises ValueError for other text."""
    text = event.replace(" ", "")
    name, _, rest = text.partition("(")
    if not name.isidentifier() or not rest.endswith(")"):
        raise ValueError(f"not an event: {event[:80]!r}; expected such as Transfer(address,address,uint256)")
    for kind in split_types(rest[:-1]):
        abi_type(kind)
    return Hash("0x" + keccak(text.encode()).hex())


def text(answer: Answer) -> str:
    """A name or symbol that is safe to show: from the raw bytes of an answer (ABI string, or bytes32), or from str.

    At most 32 characters, NFC, without control or direction characters; empty where there is none.
    """
    if isinstance(answer, bytes):
        answer = _text_of_bytes(answer)
    if not isinstance(answer, str):
        return ""
    return clean(unicodedata.normalize("NFC", answer[: 4 * TEXT_LENGTH]))[:TEXT_LENGTH].strip()


def _text_of_bytes(data: bytes) -> str:
    if len(data) == WORD:
        return data.partition(b"\0")[0].decode("utf-8", "replace")
    try:
        raw: bytes = decode_types((abi_type("bytes"),), data)[0]
    except ValueError:
        return ""
    return raw[: 16 * TEXT_LENGTH].decode("utf-8", "replace")


class Interface:
    """The functions and event topics of one file of `abis/`: `ERC20.balanceOf`, `ERC20.events["Transfer"]`."""

    def __init__(self, functions: Mapping[str, Function], events: Mapping[str, Hash]) -> None:
        self.functions = MappingProxyType(dict(functions))
        self.events = MappingProxyType(dict(events))
        vars(self).update(functions)

    def __getattr__(self, name: str) -> Function:
        raise AttributeError(f"no function {name} in this interface")


@cache
def interface(name: str) -> Interface:
    """The interface in `abis/<name>.json`, a JSON ABI of only what is read."""
    return parse_interface(_abi_folder().joinpath(f"{name}.json").read_text("utf-8"))


def parse_interface(json_abi: str) -> Interface:
    """A JSON ABI as an Interface. Raises ValueError for a name that stands twice, or a type that does not exist."""
    fragments = json.loads(json_abi)
    functions = [_from_fragment(f) for f in fragments if f["type"] == "function"]
    events = {f["name"]: _topic_of(f) for f in fragments if f["type"] == "event"}
    by_name = {f.name: f for f in functions}
    if len(by_name) != len(functions):
        raise ValueError("a function name stands twice: an interface cannot tell overloads apart")
    return Interface(by_name, events)


def _abi_folder() -> Any:
    packaged = resources.files("indexer") / "_abis"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "abis"


def _from_fragment(fragment: Mapping[str, Any]) -> Function:
    return Function(fragment["name"], _types(fragment["inputs"]), _types(fragment["outputs"]))


def _topic_of(fragment: Mapping[str, Any]) -> Hash:
    return topic(f"{fragment['name']}({','.join(_types(fragment['inputs']))})")


def _types(parameters: list[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(_type(p) for p in parameters)


def _type(parameter: Mapping[str, Any]) -> str:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_types(parameter['components']))}){kind[5:]}"


def _checked(kind: str) -> str:
    return abi_type(kind).text
