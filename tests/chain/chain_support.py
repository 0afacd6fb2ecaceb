"""What the tests of endpoints and chains share: a clock, an index of blocks, servers out of order, and questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devnet import Anvil, faults
from devnet.proxy import Act
from indexer.chain.base import Request
from indexer.chain.follower import Advanced, Event, Finalized, Follower, Reorged
from indexer.chain.pool import Pool
from indexer.errors import ChainUnavailable, EndpointError, WrongFork
from indexer.model import BlockRef

DAY_S = 86_400
PoolMaker = Callable[..., Pool]


class Time:
    """A clock that moves when somebody sleeps, and remembers each sleep."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


BALANCE = Request("eth_getBalance", ("0x" + "11" * 20, "0x5"))
BLOCK = Request("eth_getBlockByNumber", ("0x5", False))
FOUR = [Request("eth_getBlockByNumber", (hex(number), False)) for number in (1, 2, 3, 4)]


BROKEN: dict[str, Act] = {
    "a 500": faults.status(500, b"oops"),
    "a 502": faults.page("502 Bad Gateway", 502),
    "a 503": faults.status(503, {"message": "Service Unavailable"}),
    "a 504": faults.page("504 Gateway Time-out", 504),
    "a 520": faults.page("520: Web server is returning an unknown error", 520),
    "a 525": faults.status(525),
    "a redirect": faults.status(302, b"", Location="http://127.0.0.1:9/"),
    "HTML at 200": faults.page("Just a moment..."),
    "truncated JSON": faults.truncated(60),
    "an empty body": faults.status(200, b""),
    "a body of nothing but space": faults.status(200, b"   "),
    "an encoding that is not what it says": faults.status(200, b"{}", Content_Encoding="gzip"),
    "an encoding nobody asked for": faults.status(200, b"{}", Content_Encoding="br"),
    "ten thousand gzip members": faults.gzip_members(10_000),
    "a gzip bomb": faults.gzip_bomb(80 * 2**20),
    "a reset before the answer": faults.reset(),
    "a reset within the answer": faults.reset(100),
    "a number": faults.status(200, b"7"),
    "null": faults.status(200, b"null"),
    "a string": faults.status(200, b'"ok"'),
    "an empty list": faults.status(200, b"[]"),
    "nested beyond reason": faults.status(200, b"[" * 100_000),
    "no backend": faults.error(-32011, "no backend is currently healthy to serve traffic"),
    "a false method not found": faults.error(-32601, "the method eth_getBlockByNumber does not exist"),
    "words nobody knows": faults.error(-32099, "zorp"),
}


async def numbers(pool: Pool) -> list[int]:
    """Four blocks asked in one batch: an answer shifted by one shows."""
    return [int(item["number"], 16) for item in (await pool.send(FOUR)).items]


async def warm(pool: Pool) -> None:
    await pool.send([BLOCK])


class Index:
    """Blocks by number, as told by events; every event must fit what was told before."""

    def __init__(self) -> None:
        self.blocks: list[BlockRef] = []
        self.final: BlockRef | None = None
        self.reorgs: list[Reorged] = []

    def take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Advanced(blocks):
                    self._append(blocks)
                case Reorged(old, new, ancestor):
                    gone = [block for block in self.blocks if block.number > ancestor.number]
                    assert tuple(gone) == old[len(old) - len(gone) :]
                    del self.blocks[len(self.blocks) - len(gone) :]
                    assert not self.blocks or self.blocks[-1] == ancestor
                    self._append(new)
                    self.reorgs.append(event)
                case Finalized(block):
                    assert self.final is None or block.number > self.final.number
                    self.final = block

    def _append(self, blocks: tuple[BlockRef, ...]) -> None:
        for block in blocks:
            assert not self.blocks or block.parent_hash == self.blocks[-1].hash
            self.blocks.append(block)

    def matches(self, anvil: Anvil) -> bool:
        """Whether the index holds the chain's blocks and no others, up to the head."""
        own = [block.hash for block in self.blocks]
        return own == [anvil.block(block.number)["hash"] for block in self.blocks] and (
            self.blocks[-1].number == anvil.block_number()
        )


def follower_on(pool: Pool, **options: object) -> Follower:
    """A follower that asks for tags at every look and polls on the pool's time."""
    return Follower(pool, **{"tags_every_s": 0.0, "poll_s": 1.0, "rollback_polls": 3, **options})


async def settle(follower: Follower, index: Index, polls: int = 8) -> None:
    """Look until nothing happens any more; a moment's trouble is tried again."""
    for _ in range(polls):
        try:
            index.take(await follower.step())
        except (EndpointError, WrongFork, ChainUnavailable):
            continue
