"""Makes blocks, snapshots and series for the tests of stores: plain ones by hand, wild ones by hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from indexer.errors import clean
from indexer.model import (
    Address,
    BlockRef,
    Bucket,
    Flow,
    Grade,
    Hash,
    Holding,
    Line,
    Quote,
    Snapshot,
    Status,
    Step,
    Token,
    Total,
)
from indexer.store.base import DeploymentRow, Gross
from indexer.units import UINT256_MAX, usd_value

PRICE_ONE = 10**36
TOKENS = tuple(Address(f"0x{digit * 40}") for digit in "0af")
OWNERS = tuple(Address(f"0x{digit * 40}") for digit in "1e")


def block(number: int, fork: int = 0, parent_fork: int | None = None) -> BlockRef:
    """Block `number` of a fork; its parent is of `parent_fork` (default: the same)."""
    parent = fork if parent_fork is None else parent_fork
    return BlockRef(number, _hash(number, fork), _hash(number - 1, parent), 1_600_000_000 + 12 * number)


def _hash(number: int, fork: int) -> Hash:
    return Hash(f"0x{number * 1000 + fork:064x}")


def gross(flows: Iterable[Flow]) -> list[tuple[BlockRef, Gross]]:
    """Flows as they are committed: by block and place."""
    return [(flow.at, {flow[1:4]: (flow.amount_in, flow.amount_out)}) for flow in flows]


def deployment(key: str, chain: str = "chain") -> DeploymentRow:
    return DeploymentRow(key, key.partition("@")[0], chain, "uniswap_v2", "dex", '{"factory":"0x0"}', 1)


def plain(key: str, at: BlockRef, amounts: Sequence[int], price: int = PRICE_ONE) -> Snapshot:
    """One token per amount, all at one price; amount 0 is left out."""
    lines, quotes, tokens = [], {}, {}
    for index, amount in enumerate(amounts):
        if amount:
            token = Address(f"0x{index + 1:040x}")
            usd = usd_value(amount, 18, price)
            lines.append(Line(Holding(token, amount, OWNERS[0]), usd, usd, usd, Status.OK))
            step = Step("chainlink:X/USD", token, price, 8, at.timestamp)
            quotes[token] = Quote(token, price, price, price, Grade.A, "chainlink:X/USD", (step,))
            tokens[token] = Token(token, f"T{index}", 18)
    ordered = tuple(lines)
    return Snapshot(key, at, ordered, quotes, tokens, totals(ordered), Status.OK, "", "1", "uniswap_v2@1")


def gap(key: str, at: BlockRef, reason: str = "no endpoint answers") -> Snapshot:
    return Snapshot(key, at, (), {}, {}, {}, Status.GAP, reason, "1", "uniswap_v2@1")


def held(key: str, at: BlockRef, amounts: Sequence[int]) -> Snapshot:
    from dataclasses import replace

    return replace(plain(key, at, amounts), status=Status.HELD, reason="a feed is stale")


def totals(lines: Sequence[Line]) -> dict[Bucket, Total]:
    """The sums of the lines by bucket."""
    by_bucket: dict[Bucket, list[Line]] = {}
    for line in lines:
        by_bucket.setdefault(line.holding.bucket, []).append(line)
    return {bucket: _total(some) for bucket, some in by_bucket.items()}


def _total(lines: Sequence[Line]) -> Total:
    valued = [line for line in lines if line.status is Status.OK]
    sums = [sum(getattr(line, name) or 0 for line in valued) for name in ("usd", "low", "high")]
    return Total(*sums, len(valued), len(lines) - len(valued))


big = st.sampled_from([0, 1, 2**53 + 1, 2**63, 2**128, UINT256_MAX]) | st.integers(0, UINT256_MAX)
signed = big | big.map(lambda n: -n)
texts = st.text(st.characters(exclude_categories=("C",)), max_size=8).map(clean)
addresses = st.sampled_from(TOKENS)


@st.composite
def holdings(draw: st.DrawFn, token: Address, owner: Address, bucket: Bucket) -> Holding:
    status = draw(st.sampled_from([Status.OK, Status.OK, *Status]))
    amount = draw(signed) if status in (Status.OK, Status.SUSPECT) else None
    receipt = draw(st.none() | addresses)
    return Holding(token, amount, owner, bucket, status, "" if status is Status.OK else draw(texts), receipt)


@st.composite
def quotes(draw: st.DrawFn, token: Address) -> Quote:
    status = draw(st.sampled_from([Status.OK, Status.OK, *Status]))
    low, price, high = sorted(draw(st.tuples(big, big, big)))
    steps = st.builds(Step, texts, addresses, signed, st.integers(0, 255), st.none() | big, big)
    return Quote(
        token=token,
        price=price if status is Status.OK else None,
        low=low if status is Status.OK else None,
        high=high if status is Status.OK else None,
        grade=draw(st.sampled_from(Grade)),
        route=draw(texts),
        steps=tuple(draw(st.lists(steps, max_size=2))),
        status=status,
        reason=draw(texts),
        flags=tuple(draw(st.lists(texts, max_size=2))),
    )


@st.composite
def lines(draw: st.DrawFn, holding: Holding, quote: Quote | None, token: Token) -> Line:
    """A line as valuation makes it, or one of anything: a store keeps both."""
    plain_ones = holding.amount is not None and quote is not None and token.decimals is not None
    if plain_ones and quote.price is not None and draw(st.booleans()):
        usd, low, high = (usd_value(holding.amount, token.decimals, p) for p in (quote.price, quote.low, quote.high))
        return Line(holding, usd, low, high, holding.status, holding.reason)
    usd, low, high = draw(st.tuples(signed, signed, signed) | st.just((None, None, None)))
    return Line(holding, usd, low, high, draw(st.sampled_from(Status)), draw(texts))


@st.composite
def snapshots(draw: st.DrawFn, key: str, at: BlockRef) -> Snapshot:
    """A snapshot of a few positions in which anything may be missing, huge or wrong."""
    places = st.tuples(addresses, st.sampled_from(OWNERS), st.sampled_from([Bucket.BASE, Bucket.BORROWED, Bucket.OWN]))
    chosen = sorted(draw(st.sets(places, max_size=5)))
    held_tokens = sorted({token for token, _, _ in chosen})
    decimals = st.none() | st.sampled_from([0, 6, 18, 77])
    tokens = {a: Token(a, draw(texts), draw(decimals), draw(st.sampled_from(["", "0xff00"]))) for a in held_tokens}
    quoted = {a: draw(quotes(a)) for a in held_tokens if draw(st.booleans())}
    made = []
    for token, owner, bucket in chosen:
        made.append(draw(lines(draw(holdings(token, owner, bucket)), quoted.get(token), tokens[token])))
    status = draw(st.sampled_from([Status.OK, Status.OK, *Status]))
    return Snapshot(
        deployment=key,
        at=at,
        lines=tuple(made),
        quotes=quoted,
        tokens=tokens,
        totals=totals(made),
        status=status,
        reason=draw(texts),
        methodology=draw(st.sampled_from(["1", "2"])),
        adapter="uniswap_v2@1",
    )
