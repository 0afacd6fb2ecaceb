"""One block -> a snapshot of every deployment that is due: the whole program on a page.

Daemon, backfill and `tvl check` all read through `take`, so that the same block gives the same rows whoever reads it.
Nothing here depends on earlier blocks but what they discovered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from indexer.adapters.base import PART
from indexer.adapters.metadata import token_metadata
from indexer.chain.clock import Clock
from indexer.errors import CallFailed, EndpointError, Verdict
from indexer.model import Address, BlockRef, Found, Holding, Quote, Snapshot, Status, Token
from indexer.pricing.gather import gather
from indexer.pricing.guards import GuardSettings
from indexer.reads.batch import Counted
from indexer.reads.plan import Plan
from indexer.reads.rounds import Failure, Session
from indexer.run.floor import Keep, Surveyor, floor_of, keep_nothing, left_out
from indexer.run.program import ChainProgram, Deployment
from indexer.store.base import Commit, Store
from indexer.valuation.backing import backed
from indexer.valuation.value import METHODOLOGY, Valued, judge, totals, value_again


@dataclass(slots=True)
class Known:
    """What earlier blocks taught of a chain and need not be asked again: discoveries and token metadata.

    `valued` spares work, not questions: lines of any other block, taken where they would come out the same.
    """

    found: dict[str, list[Found]] = field(default_factory=dict)
    searched: dict[str, int] = field(default_factory=dict)
    tokens: dict[Address, Token] = field(default_factory=dict)
    valued: dict[str, Valued] = field(default_factory=dict)
    survey: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def load(cls, store: Store, chain: ChainProgram) -> Known:
        """As the store remembers it."""
        known = cls(tokens=await store.tokens(chain.name))
        for deployment in chain.deployments:
            known.found[deployment.key], searched = await store.found(deployment.key)
            if searched is not None:
                known.searched[deployment.key] = searched
        return known

    def learn(self, taken: Taken) -> None:
        """Keep what a block taught, once it is committed."""
        for key, new in taken.found.items():
            self.found.setdefault(key, []).extend(new)
        for key, number in taken.searched.items():
            self.searched[key] = max(number, self.searched.get(key, number))
        for snapshot in taken.snapshots:
            self.tokens.update((a, token) for a, token in snapshot.tokens.items() if token.decimals is not None)

    def forget_above(self, ancestor: BlockRef) -> None:
        """Take back what abandoned blocks taught."""
        for key, items in self.found.items():
            self.found[key] = [item for item in items if item.block <= ancestor.number]
        self.searched = {key: min(number, ancestor.number) for key, number in self.searched.items()}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one block gave: snapshots, new discoveries, and what it cost in calls and requests."""

    at: BlockRef
    snapshots: tuple[Snapshot, ...]
    found: Mapping[str, Sequence[Found]]
    searched: Mapping[str, int]
    calls: int
    requests: int

    def commit(self, progress: Commit, before: Mapping[str, Sequence[Found]] = MappingProxyType({})) -> Commit:
        """As the store takes it, in one transaction with the progress it makes, and with what was found `before`."""
        found = {key: [*before.get(key, ()), *self.found.get(key, ())] for key in {**before, **self.found}}
        return replace(progress, snapshots=self.snapshots, found=found, searched=self.searched)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the contracts of one deployment said."""

    holdings: Sequence[Holding] = ()
    new: Sequence[Found] = ()
    gap: str = ""
    left_out: str = ""

    @property
    def partial(self) -> bool:
        """Whether there may be more to discover."""
        return len(self.new) >= PART


async def take(
    chain: ChainProgram,
    reader: Counted,
    at: BlockRef,
    due: Sequence[Deployment],
    known: Known,
    *,
    clock: Clock | None = None,
    keep: Keep = keep_nothing,
) -> Taken:
    """Read and value the deployments at a block. Stores nothing but what must be found before, part by part, by `keep`.

    The clock is asked for the first block of the day where a deployment has a liquidity floor.
    A deployment that cannot be read is a GAP with the reason; so are all of them where the endpoints no longer have the
    state. Raises WrongFork where the block is not on the chain any more, ChainUnavailable where nobody answers.
    """
    session, before, guards = Session(reader, at), reader.sent.http_batches, chain.router.guards
    try:
        surveyor = Surveyor(chain, reader, clock, known.found, keep, known.survey, session.stats)
        reads = await _read_surveyed(session, due, known, surveyor)
        quotes, tokens = await _price(chain, session, reads, known)
    except EndpointError as error:
        if error.verdict is not Verdict.PRUNED:
            raise
        reads = {d.key: _Read(gap=f"no endpoint has the state of this block: {error.message}") for d in due}
        quotes, tokens = {}, {}
    return Taken(
        at=at,
        snapshots=tuple(_snapshot(d, at, reads[d.key], quotes, tokens, known=known, guards=guards) for d in due),
        found={key: read.new for key, read in reads.items() if read.new},
        searched={key: at.number for key, read in reads.items() if not read.gap},
        calls=session.stats.distinct,
        requests=reader.sent.http_batches - before,
    )


async def _read_surveyed(
    session: Session, due: Sequence[Deployment], known: Known, surveyor: Surveyor
) -> dict[str, _Read]:
    """As `_read_all`, after floors are judged; what has more to be discovered than one reading can is read anew."""
    gaps = {d.key: await surveyor.judge(d, _since(d, known), session.at) for d in due if floor_of(d)}
    reads = await _read_all(session, [d for d in due if not gaps.get(d.key)], known)
    reads.update({key: _Read(gap=reason) for key, reason in gaps.items() if reason})
    for deployment in [d for d in due if reads[d.key].partial]:
        gap = await surveyor.finish(deployment, reads[deployment.key].new, _since(deployment, known), session.at)
        again = {} if gap else await _read_all(session, [deployment], known)
        reads[deployment.key] = again.get(deployment.key, _Read(gap=gap))
    for deployment in filter(floor_of, due):
        told = left_out(deployment, known.found.get(deployment.key, ()), session.at)
        reads[deployment.key] = replace(reads[deployment.key], left_out=told)
    return reads


def _since(deployment: Deployment, known: Known) -> int:
    """The first block that was not searched for discoveries."""
    return known.searched.get(deployment.key, deployment.first_block - 1) + 1


async def _read_all(session: Session, due: Sequence[Deployment], known: Known) -> dict[str, _Read]:
    outcomes = await session.run({d.key: _read(d, known, session.at) for d in due})
    return {
        key: _Read(gap=f"{outcome.reason}") if isinstance(outcome, Failure) else outcome
        for key, outcome in outcomes.items()
    }


def _read(deployment: Deployment, known: Known, at: BlockRef) -> Plan[_Read]:
    """Discovery and reading in the same rounds; read again, from answers already had, where something new was found."""
    adapter, params = deployment.adapter, deployment.params
    found = known.found.get(deployment.key, [])
    since = _since(deployment, known)
    if at.number < since:
        return _Read((yield from adapter.read(params, found, at)))
    both: Plan[Any] = gather([adapter.discover(params, found, since, at), adapter.read(params, found, at)])
    new, holdings = yield from both
    if isinstance(new, CallFailed):
        raise new
    if len(new) >= PART:
        return _Read(new=new)
    if new or isinstance(holdings, CallFailed):
        return _Read((yield from adapter.read(params, [*found, *new], at)), new)
    return _Read(holdings, new)


async def _price(
    chain: ChainProgram, session: Session, reads: Mapping[str, _Read], known: Known
) -> tuple[Mapping[Address, Quote], Mapping[Address, Token]]:
    """Quotes and metadata of every token held, asked in the same rounds."""
    held = sorted({holding.token for read in reads.values() for holding in read.holdings})
    unknown = [token for token in held if token not in known.tokens]
    both: Plan[Any] = gather([chain.router.plan(held, session.at), token_metadata(unknown, chain.native)])
    outcome = (await session.run({"prices": both}))["prices"]
    if isinstance(outcome, Failure):
        raise outcome.error
    quotes, tokens = outcome
    return quotes, {**known.tokens, **tokens}


def _snapshot(
    deployment: Deployment,
    at: BlockRef,
    read: _Read,
    quotes: Mapping[Address, Quote],
    tokens: Mapping[Address, Token],
    *,
    known: Known,
    guards: GuardSettings,
) -> Snapshot:
    valued = value_again(known.valued.get(deployment.key, Valued()), read.holdings, quotes, tokens)
    known.valued[deployment.key] = valued
    lines, quotes = backed(valued.lines, quotes, at, guards)
    status, reason = (Status.GAP, read.gap) if read.gap else judge(lines)
    if read.left_out:
        reason = f"{reason}; {read.left_out}" if reason else read.left_out
    held = {line.holding.token for line in lines}
    return Snapshot(
        deployment=deployment.key,
        at=at,
        lines=lines,
        quotes={token: quotes[token] for token in sorted(held) if token in quotes},
        tokens={token: tokens[token] for token in sorted(held) if token in tokens},
        totals=totals(lines),
        status=status,
        reason=reason,
        methodology=METHODOLOGY,
        adapter=deployment.version,
    )
