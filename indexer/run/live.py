"""A chain's program brought to life: endpoints, reader, clock and follower, opened and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from indexer.chain.base import Transport
from indexer.chain.block_logs import BlockLogs
from indexer.chain.blocks import header
from indexer.chain.clock import Clock
from indexer.chain.follower import Follower
from indexer.chain.health import Trouble
from indexer.chain.logs import LogReader
from indexer.chain.pool import Elsewhere, Pool
from indexer.chain.receipts import ReceiptLogs
from indexer.chain.wake import NewHeads
from indexer.config.schema import ChainSettings
from indexer.errors import ChainUnavailable, Transient, WrongFork
from indexer.model import Address, BlockRef
from indexer.reads.batch import Reader
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.ledger.rules import Surroundings
from indexer.reads.source import Lender
from indexer.run.abroad import Abroad
from indexer.run.grid import last_due
from indexer.run.program import ChainProgram, Deployment

FASTEST_POLL_S, SLOWEST_POLL_S = 0.25, 4.0

QUICK_BLOCK_S, QUICK_POLL_S = 1.0, 1.0
"""Of a chain with less than that between two blocks, several are read at once."""

TAGS_EVERY_S, TAGS_EVERY_BLOCKS = 10.0, 4
"""The longer of both, after which the chain's safe and final block are asked for: two more headers in the batch."""

SAMPLED_BLOCKS = 2
"""Of each range of logs, so many blocks are compared with their bloom filters, and with another endpoint."""


@dataclass(frozen=True, slots=True)
class LiveChain:
    """One chain that answers. `pool` for whoever wants to ask by themselves."""

    program: ChainProgram
    pool: Pool
    reader: Reader
    clock: Clock
    log: FilteringBoundLogger

    async def head(self) -> BlockRef:
        """The newest block. Raises ChainUnavailable."""
        return _there(await header(self.pool, "latest"), "no head")

    async def final(self) -> BlockRef:
        """The newest block that will not be replaced: by the chain's tag, or by the configured depth."""
        finality = self.program.settings.finality
        if finality.tags:
            return _there(await header(self.pool, "finalized"), "no final block yet")
        head = await self.head()
        return _there(await header(self.pool, max(head.number - finality.depth, 0)), "no final block yet")

    async def parent(self, block: BlockRef) -> BlockRef:
        """The block before. Raises WrongFork where the block is not on the chain any more."""
        found = await header(self.pool, block.parent_hash)
        if found is None:
            raise WrongFork(f"the parent of {block} is not on the chain", chain=self.program.name)
        return found

    async def last_due(self, deployments: Iterable[Deployment]) -> list[tuple[BlockRef, list[Deployment]]]:
        """The last points that were due up to the head, oldest first, each with its deployments."""
        head = await self.head()
        found: dict[BlockRef, list[Deployment]] = {}
        for deployment in deployments:
            at = await last_due(deployment.every, head, self.clock)
            if at is not None and at.number >= deployment.first_block:
                found.setdefault(at, []).append(deployment)
        return sorted(found.items(), key=lambda item: item[0].number)

    @asynccontextmanager
    async def wake(self) -> AsyncIterator[NewHeads | None]:
        """What may know of a new head before the next poll; None where no `websocket` is configured."""
        url = self.program.settings.websocket
        if url is None:
            yield None
            return
        async with NewHeads(url, on_trouble=lambda text: self.log.warning("websocket trouble", text=text)) as heads:
            yield heads

    @property
    def endpoint(self) -> str:
        """The label of the first endpoint."""
        return self.pool.health()[0].endpoint

    def reader_elsewhere(self, endpoint: str) -> Reader:
        """A reader that asks the other endpoints first, if there are any."""
        return _reader(self.program.settings, Elsewhere(self.pool, endpoint), self.reader.lender)

    def alone(self, place: int) -> AbstractAsyncContextManager[LiveChain]:
        """The same chain as one endpoint, by its place in the configuration, shows it."""
        settings = self.program.settings
        one = settings.model_copy(update={"endpoints": (settings.endpoints[place],)})
        return open_chain(replace(self.program, settings=one), self.log)

    def follower(
        self,
        known: Sequence[BlockRef],
        finalized: BlockRef | None,
        wake: NewHeads | None,
        rider: BlockLogs | None = None,
    ) -> Follower:
        """Goes on behind the `known` blocks; logs may ride along with a look at the head."""
        settings = self.program.settings
        return Follower(
            self.pool,
            known=known,
            finalized=finalized,
            finality_depth=settings.finality.depth,
            use_tags=settings.finality.tags,
            tags_every_s=max(TAGS_EVERY_S, TAGS_EVERY_BLOCKS * settings.block_time_s),
            poll_s=_poll_s(settings),
            block_time_s=None if settings.poll_s else settings.block_time_s,
            wake=wake,
            rider=rider,
            on_trouble=self._tell,
        )

    def block_logs(self) -> BlockLogs:
        """Logs of single blocks and of ranges of them, checked."""
        return BlockLogs(self.pool, LogReader(self.pool, sample_blocks=SAMPLED_BLOCKS))

    def ledger(self, logs: BlockLogs | None = None) -> Ledger | None:
        """Answers from logs, in front of the reader; None where the chain's `ledger` is off."""
        settings = self.program.settings
        if not settings.ledger:
            return None
        touched_by: dict[Address, tuple[Address, ...]] = {}
        for deployment in self.program.deployments:
            touched_by.update(deployment.adapter.touched_by(deployment.params))
        around = Surroundings(settings.native.wrapped, {}, touched_by)
        proof_s, receipts = settings.ledger_proof_s, ReceiptLogs(self.pool)
        return Ledger(self.reader, logs or self.block_logs(), around, proof_s, receipts=receipts)

    def _tell(self, error: Transient) -> None:
        self.log.warning("the head cannot be read", error=str(error), hint=error.next_step or None)


@asynccontextmanager
async def open_chain(program: ChainProgram, log: FilteringBoundLogger) -> AsyncIterator[LiveChain]:
    """Connect to a chain's endpoints; they are asked when they are needed, not now."""
    settings = program.settings
    pool = Pool(
        program.name,
        settings.chain_id,
        settings.endpoints,
        timeout_s=settings.timeout_s,
        units_per_s=settings.requests_per_second,
        block_time_s=settings.block_time_s,
        on_trouble=_teller(log),
    )
    async with pool, AsyncExitStack() as lenders:
        abroad = Abroad(lambda chain: open_chain(program.others[chain], log.bind(chain=chain)), lenders)
        yield LiveChain(program, pool, _reader(settings, pool, abroad.lend), Clock(pool), log)


def _reader(settings: ChainSettings, transport: Transport, lender: Lender | None = None) -> Reader:
    multicall = settings.multicall3
    return Reader(
        transport,
        multicall.address if multicall else None,
        multicall.first_block if multicall else 0,
        block_number=settings.block_number,
        logs=LogReader(transport, sample_blocks=SAMPLED_BLOCKS).fetch,
        lender=lender,
    )


def _teller(log: FilteringBoundLogger) -> Callable[[Trouble], None]:
    def tell(trouble: Trouble) -> None:
        log.warning("endpoint trouble", endpoint=trouble.endpoint, trouble=trouble.kind, text=trouble.text)

    return tell


def _poll_s(settings: ChainSettings) -> float:
    """A third of the block time, unless configured, or so short that blocks are better read several at once."""
    if settings.poll_s or settings.block_time_s < QUICK_BLOCK_S:
        return settings.poll_s or QUICK_POLL_S
    return min(max(settings.block_time_s / 3, FASTEST_POLL_S), SLOWEST_POLL_S)


def _there(block: BlockRef | None, otherwise: str) -> BlockRef:
    if block is None:
        raise ChainUnavailable(otherwise)
    return block
