"""Chainlink-style feeds: `latestRoundData` through the proxy -> a reading. RedStone's push feeds answer to it too.

Asked at the proxy, which outlives its aggregators: a new phase is a new round id, nothing else.
https://docs.chain.link/data-feeds/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from pydantic import Field

from indexer.errors import clean
from indexer.model import Address, BlockRef, Step
from indexer.pricing.base import ContractAddress, Oracle, Reading, scale_of, scaled
from indexer.pricing.feeds import DeviatingParams, feed_reading
from indexer.pricing.guards import Bounded, Check, Decimals, Described, Phased
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, Plan, address, need

KEPT_READINGS = 4_096
"""Readings that are kept: a feed answers the same at many blocks in a row."""


class ChainlinkParams(DeviatingParams):
    """One feed, as its provider publishes it."""

    feed: ContractAddress = Field(description="the proxy's address")
    decimals: int | None = Field(default=None, ge=0, le=36, description="its scale: with another one it is held")
    pair: str | None = Field(default=None, max_length=64, description="its description, such as ETH / USD: else held")
    name: str | None = Field(default=None, max_length=64, description="what a route calls it; default: its pair")
    read_bounds: bool = Field(default=False, description="also ask the aggregator for its minAnswer and maxAnswer")


class Chainlink(Oracle[ChainlinkParams]):
    """What the feed answered at the block, graded A: an oracle's own price."""

    kind = "chainlink"
    feed = True
    params = ChainlinkParams

    def label(self, params: ChainlinkParams) -> str:
        """Its name or its pair where they are configured, else the feed's address."""
        return _label(params)

    def read(self, token: Address, params: ChainlinkParams, at: BlockRef) -> Plan[Reading]:
        """One round of calls; two more with `read_bounds`. Raises CallFailed where the feed does not answer."""
        latest, decimals, *described = yield _asks(params)
        said, scale = need(latest), scale_of(decimals)
        bounds = yield from _aggregator_bounds(params, said[1], scale)
        return _reading(params, said, scale, tuple(bounds), tuple(map(need, described)))

    def earlier(self, params: ChainlinkParams, step: Step, at: BlockRef) -> Plan[list[Reading]]:
        """One round of calls: its rounds of the same phase, `step`'s own first."""
        answers = yield [interface("aggregator_v3").getRoundData(params.feed, n) for n in _rounds_up_to(step.round)]
        steps = [
            Step(self.kind, params.feed, answer[1], step.decimals, answer[3], answer[0])
            for answer in answers
            if not isinstance(answer, Failed)
        ]
        scale = Decimals(step.decimals, params.decimals)
        return [feed_reading(self.label(params), params, one, params.tolerance, (scale,)) for one in steps]


def _label(params: ChainlinkParams) -> str:
    return f"{Chainlink.kind}:{''.join((params.name or params.pair or params.feed).split())}"


@lru_cache(KEPT_READINGS)
def _reading(
    params: ChainlinkParams,
    latest: tuple[int, ...],
    scale: int,
    bounds: tuple[Check, ...],
    described: tuple[str, ...],
) -> Reading:
    """What these answers say: the same object as long as they say the same, by which the router knows."""
    round_id, answer, _, updated_at, _ = latest
    checks = (
        Decimals(scale, params.decimals),
        Phased(round_id),
        *bounds,
        *(Described(text, params.pair or "") for text in described),
    )
    step = Step(Chainlink.kind, params.feed, answer, scale, updated_at, round_id)
    return feed_reading(_label(params), params, step, params.tolerance, checks)


def differences(rows: Mapping[str, tuple[Address, int]]) -> Plan[dict[str, str]]:
    """Feeds by the name and decimals they are configured with -> what each says otherwise; none where all is well.

    One round of calls. Blanks, case and the marks between two tokens do not count in a name.
    """
    feed = interface("aggregator_v3")
    answers = yield [ask(address) for address, _ in rows.values() for ask in (feed.description, feed.decimals)]
    pairs = zip(answers[::2], answers[1::2], strict=True)
    told = {name: _difference(name, rows[name][1], *said) for name, said in zip(rows, pairs, strict=True)}
    return {name: sentence for name, sentence in told.items() if sentence}


def _difference(name: str, decimals: int, described: Answer, scale: Answer) -> str:
    failed = [answer.reason for answer in (described, scale) if isinstance(answer, Failed)]
    if failed:
        return f"does not describe itself: {failed[0]}"
    told = [] if _letters(described) == _letters(name) else [f"describes itself as {clean(described, 64)!r}"]
    return ", ".join([*told, *([f"has {scale} decimals, {decimals} configured"] if scale != decimals else [])])


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


ROUNDS_BACK = 16
"""How many rounds are looked at for a last good answer: at an update a minute, a quarter of an hour."""


def _rounds_up_to(round_id: int) -> list[int]:
    """The round and those before it; never across a phase, whose rounds are counted from 1."""
    in_phase = round_id % 2**64
    return [round_id - back for back in range(min(ROUNDS_BACK, in_phase))]


def _asks(params: ChainlinkParams) -> list[Ask]:
    feed = interface("aggregator_v3")
    asks: list[Ask] = [feed.latestRoundData(params.feed), feed.decimals(params.feed)]
    return [*asks, feed.description(params.feed)] if params.pair else asks


def _aggregator_bounds(params: ChainlinkParams, answer: int, scale: int) -> Plan[list[Check]]:
    if not params.read_bounds:
        return []
    feed = interface("aggregator_v3")
    (aggregator,) = yield [feed.aggregator(params.feed)]
    target = params.feed if isinstance(aggregator, Failed) else address(aggregator)
    low, high = yield [feed.minAnswer(target), feed.maxAnswer(target)]
    return [Bounded(scaled(answer, scale), _bound(low, scale), _bound(high, scale))]


def _bound(answer: Answer, scale: int) -> Fraction | None:
    """Most aggregators of today have none."""
    return None if isinstance(answer, Failed) else scaled(answer, scale)
