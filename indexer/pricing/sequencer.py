"""An L2's sequencer uptime feed -> the evidence that the guard of a whole chain judges, once a block.

https://docs.chain.link/data-feeds/l2-sequencer-feeds
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Grade, Status, Step
from indexer.pricing.base import ContractAddress, Oracle, OracleParams, Reading
from indexer.pricing.guards import SequencerUp
from indexer.reads.abi import interface
from indexer.reads.plan import Failed, Plan, need


class UptimeParams(OracleParams):
    """The uptime feed's proxy."""

    feed: ContractAddress


class Uptime(Oracle[UptimeParams]):
    """Whether the chain's sequencer is up: a reading for its checks alone, of no token's price."""

    kind = "sequencer"
    params = UptimeParams

    def read(self, token: Address, params: UptimeParams, at: BlockRef) -> Plan[Reading]:
        """One call. Raises CallFailed where the feed does not answer; before it existed it judges nothing."""
        (latest,) = yield [interface("aggregator_v3").latestRoundData(params.feed)]
        if isinstance(latest, Failed) and latest.status in (Status.MISSING, Status.NOT_APPLICABLE):
            return Reading(_no_price, (), Grade.U, (), self.kind, flags=("sequencer: no uptime feed at this block",))
        round_id, answer, started_at, updated_at, _ = need(latest)
        step = Step(self.kind, params.feed, answer, 0, updated_at, round_id)
        return Reading(_no_price, (), Grade.U, (step,), self.kind, checks=(SequencerUp(answer, started_at),))


def _no_price(_: Sequence[Fraction]) -> Fraction:
    raise CallFailed("an uptime feed prices nothing")
