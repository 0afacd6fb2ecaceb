"""Contracts of deployments at a block -> their holdings, all that was deployed by then discovered before.

Discovery and reading share their rounds. Never values anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.adapters.base import PART
from indexer.errors import CallFailed
from indexer.model import BlockRef, Found, Holding
from indexer.pricing.gather import gather
from indexer.reads.plan import Plan
from indexer.reads.rounds import Failure, Session
from indexer.run.floor import Surveyor, floor_of, left_out
from indexer.run.known import Known
from indexer.run.program import Deployment


@dataclass(frozen=True, slots=True)
class Reading:
    """What the contracts of one deployment said: holdings and `new` discoveries, or why there is a `gap`.

    `left_out` is what its liquidity floor leaves out, in a sentence.
    """

    holdings: Sequence[Holding] = ()
    new: Sequence[Found] = ()
    gap: str = ""
    left_out: str = ""

    @property
    def partial(self) -> bool:
        """Whether there may be more to discover."""
        return len(self.new) >= PART


async def read_surveyed(
    session: Session, due: Sequence[Deployment], known: Known, surveyor: Surveyor
) -> dict[str, Reading]:
    """As `_read_all`, after floors are judged; what has more to be discovered than one reading can is read anew."""
    gaps = {d.key: await surveyor.judge(d, _since(d, known), session.at) for d in due if floor_of(d)}
    reads = await _read_all(session, [d for d in due if not gaps.get(d.key)], known)
    reads.update({key: Reading(gap=reason) for key, reason in gaps.items() if reason})
    for deployment in [d for d in due if reads[d.key].partial]:
        gap = await surveyor.finish(deployment, reads[deployment.key].new, _since(deployment, known), session.at)
        again = {} if gap else await _read_all(session, [deployment], known)
        reads[deployment.key] = again.get(deployment.key, Reading(gap=gap))
    for deployment in filter(floor_of, due):
        told = left_out(deployment, known.found.get(deployment.key, ()), session.at)
        reads[deployment.key] = replace(reads[deployment.key], left_out=told)
    return reads


def _since(deployment: Deployment, known: Known) -> int:
    """The first block that was not searched for discoveries."""
    return known.searched.get(deployment.key, deployment.first_block - 1) + 1


async def _read_all(session: Session, due: Sequence[Deployment], known: Known) -> dict[str, Reading]:
    outcomes = await session.run({d.key: _read(d, known, session.at) for d in due})
    return {
        key: Reading(gap=f"{outcome.reason}") if isinstance(outcome, Failure) else outcome
        for key, outcome in outcomes.items()
    }


def _read(deployment: Deployment, known: Known, at: BlockRef) -> Plan[Reading]:
    """Discovery and reading in the same rounds; read again, from answers already had, where something new was found."""
    adapter, params = deployment.adapter, deployment.params
    found = known.found.get(deployment.key, [])
    since = _since(deployment, known)
    if at.number < since:
        return Reading((yield from adapter.read(params, found, at)))
    both: Plan[Any] = gather([adapter.discover(params, found, since, at), adapter.read(params, found, at)])
    new, holdings = yield from both
    if isinstance(new, CallFailed):
        raise new
    if len(new) >= PART:
        return Reading(new=new)
    if new or isinstance(holdings, CallFailed):
        return Reading((yield from adapter.read(params, [*found, *new], at)), new)
    return Reading(holdings, new)
