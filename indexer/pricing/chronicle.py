"""Chronicle oracles: `readWithAge()` -> a reading. Values have 18 decimals; the "age" is the time of the last poke.

Reading is by allow-list: where the caller of an `eth_call` is not on it, the oracle reverts and is held with that.
https://github.com/chronicleprotocol/chronicle-std/blob/main/src/IChronicle.sol
"""

from __future__ import annotations

from pydantic import Field

from indexer.model import Address, BlockRef, Step
from indexer.pricing.base import ContractAddress, Oracle, Reading
from indexer.pricing.feeds import DeviatingParams, feed_reading
from indexer.reads.abi import interface
from indexer.reads.plan import Plan, need

VALUE_DECIMALS = 18


class ChronicleParams(DeviatingParams):
    """One oracle."""

    oracle: ContractAddress = Field(description="the oracle's address")


class Chronicle(Oracle[ChronicleParams]):
    """What the oracle answers at the block, graded A."""

    kind = "chronicle"
    feed = True
    params = ChronicleParams

    def read(self, token: Address, params: ChronicleParams, at: BlockRef) -> Plan[Reading]:
        """One call. Raises CallFailed where the oracle does not let itself be read."""
        (answer,) = yield [interface("chronicle").readWithAge(params.oracle)]
        value, updated_at = need(answer)
        step = Step(self.kind, params.oracle, value, VALUE_DECIMALS, updated_at)
        return feed_reading(self.label(params), params, step, params.tolerance)
