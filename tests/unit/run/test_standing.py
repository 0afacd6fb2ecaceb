"""What stands is what the ledger itself answered; what was read beside it is read again."""

from __future__ import annotations

from indexer.adapters.registry import adapter, parse_params
from indexer.config.types import Cadence
from indexer.model import BlockRef, Snapshot, Status
from indexer.reads.ledger.ledger import Ledger
from indexer.run.program import Deployment
from indexer.run.reading import Reading
from indexer.run.standing import Market, Standing
from tests.unit.reads.ledger_nodes import BALANCE, Node, agree, follow, ledger_of, proven

TOKEN, OWNER = "0x" + "11" * 20, "0x" + "22" * 20
PURSE = Deployment(
    key="purse@chain",
    protocol="purse",
    chain="chain",
    category="other",
    adapter=adapter("token_balances"),
    params=parse_params("token_balances", {"owners": [OWNER], "tokens": [TOKEN]}),
    first_block=0,
    every=Cadence(blocks=1),
)


def kept_at(ledger: Ledger, at: BlockRef) -> Standing:
    """A reading of the one balance at a block, remembered."""
    standing, key = Standing(ledger), PURSE.key
    snapshot = Snapshot(key, at, (), {}, {}, {}, Status.OK, "", "1", "token_balances@1")
    standing.keep([PURSE], {key: Reading()}, {key: snapshot}, {key: [BALANCE]}, Market.of(at, {}, {}))
    return standing


async def test_what_the_ledger_answered_stands_as_long_as_no_log_changes_it() -> None:
    node = Node()
    ledger = await proven(node, BALANCE)
    standing = kept_at(ledger, node.block(node.world.number))
    await follow(node, ledger, 2, BALANCE, play=False)
    assert standing.readings([PURSE], {}, node.block(node.world.number)).keys() == {PURSE.key}


async def test_what_was_read_before_the_ledger_was_believed_does_not_stand_though_it_is_believed_later() -> None:
    """An endpoint that was behind may have answered: whoever is due once in many blocks would keep its word."""
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(node.world.number), BALANCE)
    standing = kept_at(ledger, node.block(node.world.number))
    await follow(node, ledger, 5, BALANCE, play=False)
    at = node.block(node.world.number)
    assert ledger.unchanged([BALANCE], node.block(0), at), "it is believed by now, back to where it was first read"
    assert standing.readings([PURSE], {}, at) == {}
