"""A declared par: so many of another token, or USD, for one token. No contract is asked.

The last resort for what has no source at all. The router lets it answer only where no other route of the token exists
at the block: a peg is never assumed where a feed exists.
"""

from __future__ import annotations

from pydantic import Field

from indexer.model import Address, BlockRef, Grade
from indexer.pricing.base import Oracle, QuotedParams, Reading, times
from indexer.pricing.numbers import PositiveDecimal
from indexer.reads.plan import Plan


class FixedParams(QuotedParams):
    """The par."""

    price: PositiveDecimal = Field(description='what one whole token is declared worth, in `in`, such as "1"')


class Fixed(Oracle[FixedParams]):
    """The par, graded D and flagged: nobody on the chain says so."""

    kind = "fixed"
    last_resort = True
    params = FixedParams

    def read(self, token: Address, params: FixedParams, at: BlockRef) -> Plan[Reading]:
        """No calls."""
        yield from ()
        return Reading(times(params.price), params.of, Grade.D, (), self.kind, flags=("par: declared, not read",))
