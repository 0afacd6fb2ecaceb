"""What all pushed feeds share: a promised heartbeat and deviation, an answer with its time -> a reading.

A kind's own file says how its contract is asked; this one says what its guards have to judge.
"""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from indexer.model import Grade, Step
from indexer.pricing.base import QuotedParams, Reading, scaled, times
from indexer.pricing.guards import Bounded, Check, Fresh, Positive, Timestamped
from indexer.pricing.numbers import PositiveDecimal


class FeedParams(QuotedParams):
    """What a provider promises of a feed, and what its answers can be."""

    heartbeat_s: int = Field(gt=0, description="longest time between updates that is promised")
    grace_s: int | None = Field(default=None, ge=0, description="how late it may be, instead of the guard's default")
    min: PositiveDecimal | None = Field(default=None, description="an answer at or below it is held")
    max: PositiveDecimal | None = Field(default=None, description="an answer at or above it is held")


class DeviatingParams(FeedParams):
    """A feed that is updated when the price has moved far enough."""

    deviation_bps: int = Field(ge=0, lt=10_000, description="price move that triggers an update: the interval's width")

    @property
    def tolerance(self) -> Fraction:
        """The move that the feed may not have shown yet."""
        return Fraction(self.deviation_bps, 10_000)


def feed_reading(
    label: str, params: FeedParams, step: Step, tolerance: Fraction, checks: tuple[Check, ...] = ()
) -> Reading:
    """The one step of a feed as a reading graded A, with the checks that every feed has and its kind's own."""
    answer, updated_at = scaled(step.answer, step.decimals), step.updated_at
    assert updated_at is not None, "a feed tells when it was updated"
    return Reading(
        combine=times(answer),
        of=params.of,
        grade=Grade.A,
        steps=(step,),
        label=label,
        tolerance=tolerance,
        checks=(
            Positive(step.answer),
            Timestamped(updated_at),
            Fresh(updated_at, params.heartbeat_s, params.grace_s),
            Bounded(answer, params.min, params.max),
            *checks,
        ),
    )
