"""The seam between plans and whoever answers them: a node, a recording. Questions by key, raw answers in order.

The same question is asked once, however many plans ask it and whatever each makes of the bytes. Never decodes twice
what it can keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, TypeAlias

from indexer.model import Address, BlockRef
from indexer.reads.decode import Decode
from indexer.reads.plan import Answer, Ask, Call, Elsewhere, Failed, Lent, Log, LogQuery, NativeBalance

CallKey: TypeAlias = tuple[Address, bytes]
"""Target and calldata: what makes two calls the same question."""

Key: TypeAlias = CallKey | NativeBalance | LogQuery | Elsewhere
"""What makes two asks the same question: of a call its key, else the ask itself."""

Raw: TypeAlias = bytes | int | list[Log] | Lent | Failed
"""An answer as it came: a call's bytes, a native balance in wei, logs, a price of another chain; or Failed."""


class Source(Protocol):
    """Answers questions at a block."""

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        """One raw answer a question, in order. Raises Transient where the block cannot be read as a whole."""


class LogFetcher(Protocol):
    """Answers log queries, however the range must be split."""

    async def __call__(self, query: LogQuery, at: BlockRef) -> list[Log]:
        """The logs of a query whose range ends at `at` or before, in chain order, on the chain of `at`."""


class Lender(Protocol):
    """Answers for the prices of other chains."""

    async def __call__(self, asks: Sequence[Elsewhere]) -> Sequence[Lent | Failed]:
        """One answer an ask, in order. Raises Transient where a chain cannot say yet."""


class Questions(tuple[Ask, ...]):
    """Asks of one round. What follows from them alone is worked out once, at however many blocks they are asked."""

    @classmethod
    def of(cls, asks: Iterable[Ask]) -> Questions:
        """These asks; the very same object where they are such already."""
        return asks if isinstance(asks, cls) else cls(asks)

    @cached_property
    def keys(self) -> list[Key]:
        """The key of each ask. Raises TypeError for what is no ask."""
        return [(ask.target, ask.data) if type(ask) is Call else _other_key(ask) for ask in self]

    @cached_property
    def by_key(self) -> dict[Key, Ask]:
        """Each question once."""
        return dict(zip(self.keys, self, strict=True))

    @cached_property
    def kinds(self) -> frozenset[type]:
        """The types of the asks."""
        return frozenset(map(type, self))

    @cached_property
    def _decoders(self) -> list[Decode]:
        return [ask.function.decode if type(ask) is Call else _as_it_is for ask in self]

    def decoded(self, raws: Iterable[Raw]) -> list[Answer]:
        """Each ask's answer from its raw one."""
        pairs = zip(self._decoders, raws, strict=True)
        return [decode(raw) if type(raw) is bytes else raw for decode, raw in pairs]


def _other_key(ask: Any) -> NativeBalance | LogQuery | Elsewhere:
    if isinstance(ask, NativeBalance | LogQuery | Elsewhere):
        return ask
    raise TypeError(f"a plan asked {type(ask).__name__}, which is no question")


def _as_it_is(raw: bytes) -> Answer:
    return raw
