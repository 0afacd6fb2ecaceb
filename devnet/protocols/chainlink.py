"""Puts USD price feeds on a devnet: Chainlink's mock aggregator behind its real EACAggregatorProxy."""

from __future__ import annotations

from devnet.addresses import Feed
from devnet.artifacts import published
from devnet.chain import Devnet

DECIMALS = 8
# whole US dollars and cents at the start
OPENING_CENTS = {
    "ETH/USD": 2_000_00,
    "BTC/USD": 40_000_00,
    "USDC/USD": 1_00,
    "USDT/USD": 1_00,
    "DAI/USD": 1_00,
    "LINK/USD": 15_00,
}
_PACKAGE = "@chainlink/contracts/abi/v0.6"


def deploy_feeds(net: Devnet) -> dict[str, Feed]:
    return {name: _deploy_feed(net, answer_of_cents(cents)) for name, cents in OPENING_CENTS.items()}


def answer_of_cents(cents: int) -> int:
    """US cents as a feed's raw answer."""
    unit: int = 10 ** (DECIMALS - 2)
    return cents * unit


def set_price(net: Devnet, feed: Feed, answer: int) -> None:
    """Submit a new round to the aggregator that stands behind the feed now."""
    net.send(net.call(feed.proxy, "aggregator()(address)"), "updateAnswer(int256)", answer)


def replace_aggregator(net: Devnet, feed: Feed, answer: int) -> None:
    """Put a new aggregator behind the proxy, as Chainlink does: a new phase, and round ids that jump."""
    successor = net.deploy(published(f"{_PACKAGE}/MockV3Aggregator.json"), DECIMALS, answer)
    net.send(feed.proxy, "proposeAggregator(address)", successor)
    net.send(feed.proxy, "confirmAggregator(address)", successor)


def _deploy_feed(net: Devnet, answer: int) -> Feed:
    aggregator = net.deploy(published(f"{_PACKAGE}/MockV3Aggregator.json"), DECIMALS, answer)
    no_access_control = "0x" + "00" * 20
    proxy = net.deploy(published(f"{_PACKAGE}/EACAggregatorProxy.json"), aggregator, no_access_control)
    return Feed(proxy, aggregator, DECIMALS)
