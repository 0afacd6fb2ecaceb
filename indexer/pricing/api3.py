"""API3 reader proxies: `read()` -> a reading. Values have 18 decimals, times are the publishers' own.

https://github.com/api3dao/contracts (IApi3ReaderProxy)
"""

from __future__ import annotations

from pydantic import Field

from indexer.model import Address, BlockRef, Step
from indexer.pricing.base import ContractAddress, Oracle, Reading
from indexer.pricing.feeds import DeviatingParams, feed_reading
from indexer.reads.abi import interface
from indexer.reads.plan import Plan, need

VALUE_DECIMALS = 18


class Api3Params(DeviatingParams):
    """One data feed's proxy."""

    proxy: ContractAddress = Field(description="the reader proxy")


class Api3(Oracle[Api3Params]):
    """What the proxy answers at the block, graded A."""

    kind = "api3"
    feed = True
    params = Api3Params

    def read(self, token: Address, params: Api3Params, at: BlockRef) -> Plan[Reading]:
        """One call. Raises CallFailed where the proxy does not answer."""
        (answer,) = yield [interface("api3_proxy").read(params.proxy)]
        value, updated_at = need(answer)
        step = Step(self.kind, params.proxy, value, VALUE_DECIMALS, updated_at)
        return feed_reading(self.label(params), params, step, params.tolerance)
