"""A devnet on which stories are played first and indexed afterwards, with a configuration of the story's own.

Blocks are mined while nobody reads; then those asked for are read and committed, and gross flows are put in from the
chain's own Transfer logs, so that verdicts have what a ledger would give them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devnet import Addresses, Devnet
from devnet.configuration import configuration
from devnet.desk import Desk
from indexer.cli.headline import Judgement, judge_stored
from indexer.model import Address, BlockRef, Bucket, Hash
from indexer.run.books import shelf, snapshot_before
from indexer.store import open_store
from indexer.store.base import Commit, Covered, Gross, Store
from indexer.valuation.claims import Claims
from indexer.valuation.rollup import span_of
from indexer.valuation.rules import NAMES
from indexer.valuation.verdicts import QualitySettings
from tests.e2e.support import index_each

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""Topic of ERC-20's Transfer(address,address,uint256). https://eips.ethereum.org/EIPS/eip-20"""

USD = 10**18


@dataclass(slots=True)
class Stage:
    """The chain, where all stands on it, and what of it is read: TOML of tokens and protocols."""

    net: Devnet
    addresses: Addresses
    folder: Path
    config: str = ""
    numbers: list[int] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    vaults: dict[str, str] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        """The users' actions."""
        return Desk(self.net, self.addresses)

    @property
    def file(self) -> Path:
        """The configuration's file."""
        return self.folder / "stage.toml"

    def token(self, symbol: str, address: str, route: str) -> None:
        """Price one more token."""
        self.config += f'[tokens.devnet."{symbol}"]\naddress = "{address}"\nroutes = [{route}]\n\n'

    def protocol(self, name: str, kind: str, category: str = "other", **params: Any) -> None:
        """Read one more deployment; values are written as JSON, which is TOML for texts and lists of them."""
        rows = {"name": name, "chain": "devnet", "kind": kind, "category": category, **params}
        lines = [f"{key} = {json.dumps(value)}" for key, value in rows.items()]
        self.config += "\n".join(["[[protocols]]", *lines]) + "\n\n"

    def mark(self, label: str, *, at: int | None = None) -> int:
        """Mine what is pending, and remember the block under a name: it will be read."""
        if at is None:
            self.net.mine()
        else:
            self.net.mine_at(at)
        number = self.net.block_number()
        self.labels[label] = number
        self.numbers.append(number)
        return number

    def time(self, label: str) -> int:
        """The time of a marked block."""
        return int(self.net.block(self.labels[label])["timestamp"], 16)

    def index(self) -> None:
        """Read every marked block into the store."""
        text = configuration(self.addresses, self.net.url, store="sqlite:///stage.db")
        self.file.write_text(text.partition("[[protocols]]")[0] + self.config)
        asyncio.run(index_each(self.file, self.numbers))

    def store(self) -> Store:
        """What was stored."""
        return open_store("sqlite:///stage.db", self.folder)

    def logged(self, deployment: str, places: Sequence[tuple[str, str]]) -> None:
        """Put the gross flows of (token, owner) places into the store, from the chain's Transfer logs."""
        asyncio.run(self._logged(deployment, places))

    async def _logged(self, deployment: str, places: Sequence[tuple[str, str]]) -> None:
        first, last = min(self.numbers), max(self.numbers)
        flows = [flow for token, owner in places for flow in self._flows(token, owner, first, last)]
        covered = Covered(first, last, frozenset((Address(t), Address(o), Bucket.BASE) for t, o in places))
        async with self.store() as store:
            await store.commit(Commit("devnet", flows={deployment: flows}, covered={deployment: [covered]}))

    def _flows(self, token: str, owner: str, first: int, last: int) -> Iterable[tuple[BlockRef, Gross]]:
        topic = "0x" + owner[2:].rjust(64, "0")
        moved: dict[int, list[int]] = {}
        for side, topics in enumerate([[TRANSFER, None, topic], [TRANSFER, topic]]):
            query = {"address": token, "topics": topics, "fromBlock": hex(first), "toBlock": hex(last)}
            for log in self.net.rpc("eth_getLogs", query):
                moved.setdefault(int(log["blockNumber"], 16), [0, 0])[side] += int(log["data"], 16)
        for number, (came, left) in sorted(moved.items()):
            yield self._ref(number), {(Address(token), Address(owner), Bucket.BASE): (came, left)}

    def _ref(self, number: int) -> BlockRef:
        block = self.net.block(number)
        return BlockRef(number, Hash(block["hash"]), Hash(block["parentHash"]), int(block["timestamp"], 16))

    def claims(self, label: str) -> Claims:
        """Everybody's books at a marked block."""

        async def read() -> Claims:
            async with self.store() as store:
                return Claims((await shelf(store, self.time(label))).books)

        return asyncio.run(read())

    def mean(self, deployment: str, start: int, end: int) -> int:
        """The time-weighted mean of the base over a time."""

        async def read() -> int:
            async with self.store() as store:
                span = span_of(await store.levels(deployment, start, end), start, end).span
                assert span is not None
                return span.mean

        return asyncio.run(read())

    def judged(self, deployment: str, label: str, settings: Mapping[str, Any] | None = None) -> Judgement:
        """The verdict on a deployment at a marked block, by all that is stored now."""

        async def read() -> Judgement:
            async with self.store() as store:
                (row,) = [row for row in await store.deployments() if row.key == deployment]
                one = await snapshot_before(store, deployment, self.time(label))
                assert one is not None
                return await judge_stored(store, row, one, QualitySettings.parse(settings or {}, NAMES))

        return asyncio.run(read())
