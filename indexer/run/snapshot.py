"""One block -> a snapshot of every deployment that is due: the whole program on a page.

Daemon, backfill and `tvl check` all read through `take`, so that the same block gives the same rows whoever reads it.
Nothing here depends on earlier blocks but what they discovered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from indexer.adapters.metadata import token_metadata
from indexer.errors import CallFailed, EndpointError, Verdict
from indexer.model import Address, BlockRef, Found, Holding, Quote, Snapshot, Status, Token
from indexer.pricing.gather import gather
from indexer.reads.batch import Counted
from indexer.reads.plan import Plan
from indexer.reads.rounds import Failure, Session
from indexer.run.program import ChainProgram, Deployment
from indexer.store.base import Commit, Store
from indexer.valuation.value import METHODOLOGY, judge, totals, value


@dataclass(slots=True)
class Known:
    """What earlier blocks taught of a chain and need not be asked again: discoveries and token metadata."""

    found: dict[str, list[Found]] = field(default_factory=dict)
    searched: dict[str, int] = field(default_factory=dict)
    tokens: dict[Address, Token] = field(default_factory=dict)

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

    def commit(self, progress: Commit) -> Commit:
        """As the store takes it, in one transaction with the progress it makes."""
        return replace(progress, snapshots=self.snapshots, found=self.found, searched=self.searched)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the contracts of one deployment said."""

    holdings: Sequence[Holding] = ()
    new: Sequence[Found] = ()
    gap: str = ""


async def take(chain: ChainProgram, reader: Counted, at: BlockRef, due: Sequence[Deployment], known: Known) -> Taken:
    """Read and value the deployments at a block. Never stores.

    A deployment that cannot be read is a GAP with the reason; so are all of them where the endpoints no longer have the
    state. Raises WrongFork where the block is not on the chain any more, ChainUnavailable where nobody answers.
    """
    session, before = Session(reader, at), reader.sent.http_batches
    try:
        reads = await _read_all(session, due, known)
        quotes, tokens = await _price(chain, session, reads, known)
    except EndpointError as error:
        if error.verdict is not Verdict.PRUNED:
            raise
        reads = {d.key: _Read(gap=f"no endpoint has the state of this block: {error.message}") for d in due}
        quotes, tokens = {}, {}
    return Taken(
        at=at,
        snapshots=tuple(_snapshot(d, at, reads[d.key], quotes, tokens) for d in due),
        found={key: read.new for key, read in reads.items() if read.new},
        searched={key: at.number for key, read in reads.items() if not read.gap},
        calls=session.stats.distinct,
        requests=reader.sent.http_batches - before,
    )


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
    searched = known.searched.get(deployment.key, deployment.first_block - 1)
    if at.number <= searched:
        return _Read((yield from adapter.read(params, found, at)))
    both: Plan[Any] = gather([adapter.discover(params, found, searched + 1, at), adapter.read(params, found, at)])
    new, holdings = yield from both
    if isinstance(new, CallFailed):
        raise new
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
    deployment: Deployment, at: BlockRef, read: _Read, quotes: Mapping[Address, Quote], tokens: Mapping[Address, Token]
) -> Snapshot:
    lines = value(read.holdings, quotes, tokens)
    status, reason = (Status.GAP, read.gap) if read.gap else judge(lines)
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
