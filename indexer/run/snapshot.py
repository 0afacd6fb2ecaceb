"""One block -> a snapshot of every deployment that is due: the whole program on a page.

Daemon, backfill and `tvl check` all read through `take`, so that the same block gives the same rows whoever reads it.
Nothing here depends on earlier blocks but what they discovered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from indexer.adapters.metadata import token_metadata
from indexer.chain.clock import Clock
from indexer.errors import EndpointError, Verdict
from indexer.model import BlockRef, Snapshot, Status
from indexer.pricing.gather import gather
from indexer.pricing.guards import GuardSettings
from indexer.reads.batch import Counted
from indexer.reads.plan import Plan
from indexer.reads.rounds import Failure, Session
from indexer.run.floor import Keep, Surveyor, keep_nothing
from indexer.run.known import Known, Taken
from indexer.run.program import ChainProgram, Deployment
from indexer.run.reading import Reading, read_surveyed
from indexer.run.standing import Market, Standing
from indexer.valuation.backing import backed
from indexer.valuation.value import METHODOLOGY, Summed, Valued, judge, totals_again, value_again


async def take(
    chain: ChainProgram,
    reader: Counted,
    at: BlockRef,
    due: Sequence[Deployment],
    known: Known,
    *,
    clock: Clock | None = None,
    keep: Keep = keep_nothing,
    standing: Standing | None = None,
) -> Taken:
    """Read and value the deployments at a block. Stores nothing but what must be found before, part by part, by `keep`.

    The clock is asked for the first block of the day where a deployment has a liquidity floor. With `standing`, of the
    ledger that is the reader, a deployment is read only where logs say that it may have changed.
    A deployment that cannot be read is a GAP with the reason; so are all of them where the endpoints no longer have the
    state. Raises WrongFork where the block is not on the chain any more, ChainUnavailable where nobody answers.
    """
    session, before = Session(reader, at), reader.sent.http_batches
    stood = standing.readings(due, known.found, at) if standing else {}
    try:
        surveyor = Surveyor(chain, reader, clock, known.found, keep, known.survey, session.stats)
        reads = await read_surveyed(session, [d for d in due if d.key not in stood], known, surveyor) | stood
        market = await _price(chain, session, reads, known)
    except EndpointError as error:
        if error.verdict is not Verdict.PRUNED:
            raise
        reads = {d.key: Reading(gap=f"no endpoint has the state of this block: {error.message}") for d in due}
        market = Market.of(at, {}, {})
    market = standing.steady(market) if standing else market
    same = standing.snapshots(reads, market) if standing else {}
    guards = chain.router.guards
    snapshots = {d.key: same.get(d.key) or _snapshot(d, reads[d.key], market, known, guards) for d in due}
    if standing:
        standing.keep([d for d in due if d.key not in same], reads, snapshots, session.asked, market)
    return Taken(
        at=at,
        snapshots=tuple(snapshots.values()),
        found={key: read.new for key, read in reads.items() if read.new},
        searched={key: at.number for key, read in reads.items() if not read.gap},
        calls=session.stats.distinct,
        requests=reader.sent.http_batches - before,
        unchanged=frozenset(same),
    )


async def _price(chain: ChainProgram, session: Session, reads: Mapping[str, Reading], known: Known) -> Market:
    """Quotes and metadata of every token held, asked in the same rounds."""
    held = {holding.token for read in reads.values() for holding in read.holdings}
    priced, unknown = sorted(held & chain.router.routes.keys()), sorted(held - known.tokens.keys())
    both: Plan[Any] = gather([chain.router.plan(priced, session.at), token_metadata(unknown, chain.native)])
    outcome = (await session.run({"prices": both}))["prices"]
    if isinstance(outcome, Failure):
        raise outcome.error
    quotes, tokens = outcome
    return Market.of(session.at, quotes, {**known.tokens, **tokens})


def _snapshot(deployment: Deployment, read: Reading, market: Market, known: Known, guards: GuardSettings) -> Snapshot:
    valued = value_again(known.valued.get(deployment.key, Valued()), read.holdings, market.quotes, market.tokens)
    known.valued[deployment.key] = valued
    depths = {token: market.depths[token] for token in market.depths.keys() & valued.rates.keys()}
    lines, quotes = backed(valued.lines, market.quotes, depths, market.at, guards)
    status, reason = (Status.GAP, read.gap) if read.gap else judge(lines)
    if read.left_out:
        reason = f"{reason}; {read.left_out}" if reason else read.left_out
    known.summed[deployment.key] = summed = totals_again(known.summed.get(deployment.key, Summed()), lines)
    return Snapshot(
        deployment=deployment.key,
        at=market.at,
        lines=lines,
        quotes={token: quotes[token] for token in valued.rates if token in quotes},
        tokens={token: market.tokens[token] for token in valued.rates if token in market.tokens},
        totals=summed.totals,
        status=status,
        reason=reason,
        methodology=METHODOLOGY,
        adapter=deployment.version,
    )
