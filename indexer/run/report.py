"""What the daemon and the backfill say of a block: one structured line a snapshot that may say something new."""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger

from indexer.model import Bucket, Status, Total
from indexer.run.known import Taken
from indexer.units import USD_DECIMALS, decimal_text


def log_snapshots(log: FilteringBoundLogger, taken: Taken, seconds: float, requests: int | None = None) -> None:
    """One line for each snapshot of a block: what it is worth, what is left out of it and why, what it cost.

    All that nothing touched since the block before share one line.

    `requests` is None where several blocks are read at a time: nobody can tell whose they were.
    """
    if taken.unchanged:
        log.info("unchanged", block=taken.at.number, deployments=len(taken.unchanged))
    for snapshot in taken.changed:
        base = snapshot.totals.get(Bucket.BASE)
        tell = log.info if snapshot.status in (Status.OK, Status.NOT_APPLICABLE) else log.warning
        tell(
            "snapshot",
            deployment=snapshot.deployment,
            block=taken.at.number,
            tvl_usd=_cents(base),
            status=str(snapshot.status),
            reason=snapshot.reason or None,
            left_out=sum(total.left_out for total in snapshot.totals.values()),
            requests=requests,
            ms=round(seconds * 1000),
        )


def _cents(base: Total | None) -> str | None:
    """Dollars and cents; None where no holding has a value."""
    if base is None or (base.left_out and not base.lines):
        return None
    return decimal_text(base.usd // 10 ** (USD_DECIMALS - 2), 2)
