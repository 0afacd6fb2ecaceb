"""A liquidity floor: which pools of a factory are read at every snapshot of a day, and what the others held.

The verdict is made at the first block of the (UTC) day and kept like a discovery, so that whoever reads a block of that
day reads the same pools. Judging takes prices, and is not done here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

from pydantic import Field, model_validator

from indexer.adapters.base import Adapter, ContractAddress
from indexer.adapters.parts import exactly_one
from indexer.adapters.pools import PoolParams
from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.plan import Plan
from indexer.units import usd_text

DAY_S = 86_400
_KEY = "floor:"


class FloorParams(PoolParams):
    """What the parameters of kinds with a floor share."""

    floor_usd: int = Field(0, ge=0)
    """Pools (currencies, where one contract holds all) that held less than so many USD at the first block of the day
    (UTC) are left out until the next day; 0 leaves out none."""

    @abstractmethod
    def only(self, pools: Sequence[Found]) -> Self:
        """The same parameters, without a floor, for exactly these discoveries."""


class FactoryParams(FloorParams):
    """A factory with all its pools, or pools one by one in the parameter that `listed` names."""

    listed: ClassVar[str] = "pools"

    factory: ContractAddress | None = None
    """The factory: every pool it ever created is counted."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(factory=self.factory, **{self.listed: self.pools_listed})
        if self.floor_usd and self.factory is None:
            raise ValueError("a floor needs a factory: listed pools are all read")
        return self

    @property
    def pools_listed(self) -> Sequence[Address]:
        """The pools that are given in place of a factory."""
        pools: Sequence[Address] = getattr(self, self.listed)
        return pools

    def only(self, pools: Sequence[Found]) -> Self:
        addresses = tuple(str(item.data["pool"]) for item in pools)
        return self.model_copy(update={"factory": None, "floor_usd": 0, self.listed: addresses})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the pools of a factory were worth at `block`, the first of the day (days since 1970).

    `judged` pools stood there. Of them, those of the discoveries `kept` are read; `left_out` held less than the floor,
    `left_out_usd` together (scaled by `units.USD_DECIMALS`); `unpriced` hold no token that has a route to a price.
    """

    day: int
    block: int
    judged: int
    kept: frozenset[str]
    left_out: int
    left_out_usd: int
    unpriced: int

    def found(self) -> Found:
        """As it is kept."""
        numbers = {name: str(getattr(self, name)) for name in ("judged", "left_out", "left_out_usd", "unpriced")}
        return Found(f"{_KEY}{self.day}", self.block, {**numbers, "kept": ",".join(sorted(self.kept))})

    @classmethod
    def parse(cls, item: Found) -> Verdict:
        """The opposite of `found`."""
        data = {name: str(value) for name, value in item.data.items()}
        kept = frozenset(data.pop("kept").split(",")) - {""}
        numbers = {name: int(value) for name, value in data.items()}
        return cls(day=int(item.key.removeprefix(_KEY)), block=item.block, kept=kept, **numbers)

    def reads(self, item: Found) -> bool:
        """Whether a discovered pool is read: if it was kept, or came later. Numbered pools came in their order."""
        data = item.data
        later = int(data["index"]) >= self.judged if "index" in data else item.block > self.block
        return later or item.key in self.kept

    def told(self, floor_usd: int) -> str:
        """What it leaves out, in a sentence; empty where that is nothing."""
        below = f"{_pools(self.left_out)} below the floor of ${floor_usd:,}, worth {usd_text(self.left_out_usd)}"
        unpriced = f"{_pools(self.unpriced)} without a priced token"
        told = [text for text, count in ((below, self.left_out), (unpriced, self.unpriced)) if count]
        return f"left out as of block {self.block}: {'; '.join(told)}" if told else ""


def _pools(count: int) -> str:
    return f"{count:,} pool{'' if count == 1 else 's'}"


def verdict_at(found: Sequence[Found], at: BlockRef) -> Verdict | None:
    """The verdict for the day of a block, if it was made."""
    key = f"{_KEY}{at.timestamp // DAY_S}"
    return next((Verdict.parse(item) for item in reversed(found) if item.key == key), None)


P = TypeVar("P", bound=FloorParams)


class FloorAdapter(Adapter[P]):
    """A kind whose factories may have more pools than can be read at every snapshot."""

    @abstractmethod
    def standing(self, params: P, found: Sequence[Found], at: BlockRef) -> Plan[list[Found]]:
        """The discovered pools of the factory that stood at a block. Raises CallFailed where discovery is behind."""

    def judged_as(self, holding: Holding) -> Address:
        """The address of the pool that a holding is part of."""
        return holding.owner

    def above_floor(self, params: P, found: Sequence[Found], at: BlockRef) -> Plan[list[Found]]:
        """Those that are read at a block of a judged day. Raises CallFailed for a day that was not judged."""
        verdict = verdict_at(found, at)
        if verdict is None:
            raise CallFailed("the pools were not judged at the first block of this day")
        return [item for item in (yield from self.standing(params, found, at)) if verdict.reads(item)]
