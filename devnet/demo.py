"""The main job on one page: a live devnet, the daemon on SQLite, and a table of TVL that moves with every block.
`python -m devnet.demo` runs until Ctrl-C; `--blocks N` ends by itself and fails if a block was not indexed."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from devnet.addresses import Addresses
from devnet.chain import Devnet
from devnet.configuration import configuration
from devnet.errors import DevnetError
from devnet.protocols import deploy_protocols
from devnet.proxy import FaultProxy
from devnet.scenario import BLOCK_TIME_S, DURATION_S, scenario
from devnet.traders import Traders
from indexer.model import Bucket, Status
from indexer.store import open_store
from indexer.store.base import ChainState, Point, Store
from indexer.units import usd_text

CATCH_UP_S = 60
STOP_WITHIN_S = 10
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class View:
    """What the table shows: the chain as the store knows it, and the last two points of each deployment."""

    chain_head: int
    chain: ChainState
    points: dict[str, list[Point]]

    @property
    def indexed(self) -> int:
        """The last block in the store; -1 before the first."""
        return self.chain.head.number if self.chain.head else -1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(demo(options.blocks, options.block_time))
    except KeyboardInterrupt:
        return 0
    except DevnetError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


async def demo(blocks: int | None, block_time_s: float) -> int:
    """Start everything, trade, show; stop everything, whatever happens."""
    console = Console()
    console.print("Starting a local chain with Uniswap V2 and V3, Aave V3, ERC-4626 vaults and Chainlink feeds …")
    genesis = int(time.time()) - DURATION_S - 100 * BLOCK_TIME_S
    with tempfile.TemporaryDirectory(prefix="tvl-demo-") as folder, Devnet.start(genesis_timestamp=genesis) as net:
        addresses = deploy_protocols(net)
        scenario(net, addresses)
        async with FaultProxy(net.url) as proxy:
            config = _write_configuration(Path(folder), addresses, proxy.url)
            console.print(f"Chain at {net.url}, block {net.block_number()}. Configuration: {config}")
            with _daemon(config) as daemon:
                async with open_store(f"sqlite:///{folder}/devnet.db") as store:
                    trading = _trade(net, proxy, Traders(net, addresses, seed=1), blocks, block_time_s)
                    await _show(console, _views(net, store, daemon, trading))
                    return await _verdict(console, net, store) if blocks else 0


def _write_configuration(folder: Path, addresses: Addresses, url: str) -> Path:
    file = folder / "config.toml"
    file.write_text(configuration(addresses, url))
    return file


@contextmanager
def _daemon(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`tvl run` as a user starts it, its log beside the configuration; SIGTERM at the end."""
    with config.with_name("daemon.log").open("wb") as log:
        command = [sys.executable, "-m", "indexer", "--config", str(config), "run"]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            ended = process.poll()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
            if ended not in (None, 0, INTERRUPTED):
                sys.stderr.write(config.with_name("daemon.log").read_text())


async def _trade(
    net: Devnet, proxy: FaultProxy, traders: Traders, blocks: int | None, block_time_s: float
) -> AsyncIterator[None]:
    """One block after the other, in real time, each mined while the daemon reads nothing."""
    for _ in itertools.count() if blocks is None else range(blocks):
        async with proxy.quiet():
            await asyncio.to_thread(traders.step_at, max(net.timestamp() + 1, int(time.time())))
        await asyncio.sleep(block_time_s)
        yield


async def _views(
    net: Devnet, store: Store, daemon: subprocess.Popen[bytes], trading: AsyncIterator[None]
) -> AsyncIterator[View]:
    """What there is to see after each block. Raises DevnetError where the daemon has ended."""
    async for _ in trading:
        if daemon.poll() is not None:
            raise DevnetError(f"the daemon ended with code {daemon.returncode}", "its log is above")
        yield await _look(net, store)


async def _show(console: Console, views: AsyncIterator[View]) -> None:
    with Live(console=console, auto_refresh=False) as live:
        async for view in views:
            live.update(_table(view), refresh=True)


async def _look(net: Devnet, store: Store) -> View:
    chain = await store.chain_state("devnet")
    since = max((chain.head.number if chain.head else 0) - 1, 0)
    points = {row.key: await store.series(row.key, since) for row in await store.deployments()}
    return View(net.block_number(), chain, points)


def _table(view: View) -> Table:
    lag = view.chain_head - view.indexed
    title = f"block {view.indexed} · lag {lag} · {view.chain.requests or 0} requests a block · Ctrl-C stops"
    table = Table(
        "protocol", "TVL", "since last block", "borrowed", "left out", "status", title=title, title_justify="left"
    )
    for column in table.columns[1:5]:
        column.justify = "right"
    for key, points in sorted(view.points.items()):
        if points:
            table.add_row(key.partition("@")[0], *_cells(points))
    return table


def _cells(points: Sequence[Point]) -> list[str]:
    now, before = points[-1], points[0]
    value, earlier = (_usd(point, Bucket.BASE) for point in (now, before))
    left_out = sum(total.left_out for total in now.totals.values())
    change = usd_text(value - earlier) if value != earlier else ""
    borrowed = _usd(now, Bucket.BORROWED)
    colour = "green" if now.status is Status.OK else "red"
    return [
        usd_text(value, 0),
        change,
        usd_text(borrowed, 0) if borrowed else "",
        str(left_out or ""),
        f"[{colour}]{now.status}[/] {now.state}",
    ]


def _usd(point: Point, bucket: Bucket) -> int:
    total = point.totals.get(bucket)
    return total.usd if total else 0


async def _verdict(console: Console, net: Devnet, store: Store) -> int:
    """Whether the daemon reached the head, and what it says of every protocol there."""
    deadline = time.monotonic() + CATCH_UP_S
    view = await _look(net, store)
    while view.indexed < view.chain_head and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        view = await _look(net, store)
    console.print(_table(view))
    whole = view.indexed == view.chain_head and all(points for points in view.points.values())
    console.print("Every block is indexed." if whole else f"The daemon stands at {view.indexed} of {view.chain_head}.")
    return 0 if whole else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devnet.demo", description="A live chain, the daemon, and a table.")
    parser.add_argument("--blocks", type=int, metavar="N", help="stop after N blocks; default: at Ctrl-C")
    parser.add_argument(
        "--block-time", type=float, default=1.0, metavar="S", help="seconds a block; default %(default)s"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
