"""A discovery that comes in parts is kept part by part, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from indexer.adapters import numbered
from indexer.model import Found, Status
from indexer.run import floor, reading
from indexer.run.known import Known
from indexer.run.live import open_chain
from indexer.run.program import load_program
from indexer.run.snapshot import take
from indexer.store.base import Commit
from tests.e2e.support import QUIET, Setting

pytestmark = pytest.mark.anvil

DEX = "uniswap-v2@devnet"


class Killed(Exception):
    """What ends the process of a discovery."""


@pytest.mark.parametrize("floor_usd", ["", "\nfloor_usd = 100_000"])
async def test_a_discovery_that_is_killed_goes_on_behind_its_last_part(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch, floor_usd: str
) -> None:
    """The factory has six pairs, and a part is two of them."""
    for module in (numbered, floor, reading):
        monkeypatch.setattr(module, "PART", 2)
    config = fresh.configure(change=lambda text: text.replace('kind = "uniswap_v2"', f'kind = "uniswap_v2"{floor_usd}'))
    chain = load_program(config).chains["devnet"]
    due = [d for d in chain.deployments if d.key == DEX]
    async with fresh.store(config) as store, open_chain(chain, QUIET) as live:
        await store.register([deployment.row() for deployment in chain.deployments])
        at = await live.head()
        kept: list[int] = []

        async def keep(found: Mapping[str, Sequence[Found]]) -> None:
            if len(kept) == 2:
                raise Killed
            await store.commit(Commit(chain.name, found=found))
            kept.append(len(found[DEX]))

        with pytest.raises(Killed):
            await take(chain, live.reader, at, due, Known(), clock=live.clock, keep=keep)
        known = await Known.load(store, chain)
        assert [len(known.found[DEX]), kept] == [4, [2, 2]]
        kept.clear()
        taken = await take(chain, live.reader, at, due, known, clock=live.clock, keep=keep)
        await store.commit(taken.commit(Commit(chain.name)))
        found, searched = await store.found(DEX)
    (one,) = taken.snapshots
    assert one.status is Status.OK
    assert {line.holding.owner for line in one.lines} == set(fresh.addresses.uniswap_v2.pairs.values())
    assert sorted(item.data["index"] for item in found if "index" in item.data) == list(range(6))
    assert searched == at.number
