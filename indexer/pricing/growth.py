"""What a share rate can have earned, as declared: a reference rate at a time, and the most it grows a year.

Shared by the kinds that read a rate. It only ever makes the guard look or hold: the rate itself is never capped.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from pydantic import AwareDatetime, Field, model_validator

from indexer.pricing.base import OracleParams
from indexer.pricing.guards import Check, Growing
from indexer.pricing.numbers import PositiveDecimal


class GrowthParams(OracleParams):
    """An optional envelope of the rate: all three of its keys, or none."""

    growth_rate: PositiveDecimal | None = Field(default=None, description="a rate seen, at `growth_since`")
    growth_since: AwareDatetime | None = Field(
        default=None, description="when it was seen, such as 2026-01-01T00:00:00Z"
    )
    growth_yearly_bps: int | None = Field(default=None, gt=0, description="the most it grows in a year")

    @model_validator(mode="after")
    def _all_or_none(self) -> GrowthParams:
        given = [self.growth_rate, self.growth_since, self.growth_yearly_bps]
        if any(part is None for part in given) and any(part is not None for part in given):
            raise ValueError("growth_rate, growth_since and growth_yearly_bps belong together: give all or none")
        return self

    def growth_checks(self, rate: Fraction) -> tuple[Check, ...]:
        """The guard's evidence for a rate; none where no envelope is declared."""
        if self.growth_rate is None or self.growth_since is None or self.growth_yearly_bps is None:
            return ()
        return (Growing(rate, self.growth_rate, _seconds(self.growth_since), self.growth_yearly_bps),)


def _seconds(time: datetime) -> int:
    return int(time.timestamp())
