"""Pyth feeds: `getPriceUnsafe`, its exponent and its confidence -> a reading.

"Unsafe" only says that the contract does not judge the age: the guards do, by block time.
https://docs.pyth.network/price-feeds/best-practices
"""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Status, Step
from indexer.pricing.base import ContractAddress, Oracle, Reading
from indexer.pricing.feeds import FeedParams, feed_reading
from indexer.pricing.guards import Confident
from indexer.reads.abi import interface
from indexer.reads.plan import Plan, need

MAX_EXPONENT = 36
"""Prices come with exponents from -4 to -18; what is asked to be scaled beyond 10**-36 is no price."""


class PythParams(FeedParams):
    """One price id in a Pyth contract."""

    contract: ContractAddress = Field(description="the Pyth contract of the chain")
    feed_id: str = Field(pattern="^0x[0-9a-f]{64}$", description="the price id, 32 bytes in lower-case hex")


class Pyth(Oracle[PythParams]):
    """The last price somebody brought to the chain, graded A; its interval is the confidence it came with."""

    kind = "pyth"
    feed = True
    params = PythParams

    def label(self, params: PythParams) -> str:
        """The first four bytes of the price id."""
        return f"pyth:{params.feed_id[:10]}"

    def read(self, token: Address, params: PythParams, at: BlockRef) -> Plan[Reading]:
        """One call. Raises CallFailed where the id is unknown, or the exponent is none of a price."""
        (answer,) = yield [interface("pyth").getPriceUnsafe(params.contract, bytes.fromhex(params.feed_id[2:]))]
        price, half_width, exponent, published_at = need(answer)
        if not -MAX_EXPONENT <= exponent < 0:
            raise CallFailed(f"exponent {exponent}: a price has -1 to -{MAX_EXPONENT}", status=Status.MALFORMED)
        step = Step(self.kind, params.contract, price, -exponent, published_at)
        tolerance = Fraction(half_width, price) if price > 0 else Fraction(0)
        return feed_reading(self.label(params), params, step, tolerance, (Confident(half_width, price),))
