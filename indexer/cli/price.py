"""`tvl price`: what one token is worth at a block, and every step, guard and route behind the answer.

Needs endpoints, no database. Where the price is held, the last good one is shown beside it with its age.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import click

from indexer.cli.options import Options, Verb
from indexer.cli.when import LATEST, Moment, MomentType, head_or_before
from indexer.errors import IndexerError

if TYPE_CHECKING:
    from indexer.cli.lastgood import LastGood
    from indexer.cli.price_page import Asked
    from indexer.model import Address, BlockRef
    from indexer.pricing.compose import Settled
    from indexer.reads.rounds import Session
    from indexer.run.program import ChainProgram


@click.command("price", cls=Verb)
@click.argument("token")
@click.option("--chain", metavar="CHAIN", help="Where several chains have the token.")
@click.option("--at", type=MomentType(), default=LATEST, metavar="WHEN", help="A block, a date, -1d. Default: latest.")
@click.option("--explain", is_flag=True, help="Every route and step: taken or not, and why.")
@click.option("--json", "as_json", is_flag=True, help="JSON with all of it; numbers are exact decimal strings.")
@click.pass_context
def price(ctx: click.Context, *, token: str, chain: str | None, at: Moment, explain: bool, as_json: bool) -> None:
    """Price TOKEN, a symbol or an address, by the oracles on its chain, now or --at some moment.

    Shows the price with its interval, grade, age and route, and the guards that flagged it. --explain adds each answer
    it was made of (contract, raw answer, round, time) and what became of the other routes. A price that no route can be
    trusted with is held: the last good one is shown beside it, from the store if there is one, else from the feed's own
    earlier rounds. Nothing is stored. The exit code is 1 where the price is held.

    \b
      tvl price WETH
      tvl price wstETH --at 2026-01-01 --explain
      tvl price 0x6B175474E89094C44Da98b954EedeAC495271d0F --chain ethereum --json
    """
    from indexer.cli import price_page

    asked = asyncio.run(_ask(ctx.ensure_object(Options), token, chain, at))
    if as_json:
        price_page.echo_price_json(asked)
    else:
        price_page.echo_price(asked, explain=explain)
    if asked.quote.price is None:
        ctx.exit(1)


async def _ask(options: Options, token: str, chain: str | None, at: Moment) -> Asked:
    from indexer.cli.price_page import Asked
    from indexer.cli.tokens import meant_by, symbols_of
    from indexer.reads.rounds import Failure, Session
    from indexer.run.live import open_chain

    program = options.program()
    meant = meant_by(program, token, chain)
    async with open_chain(meant.chain, options.log("warning")) as live:
        block = await head_or_before(at, live)
        session = Session(live.reader, block)
        settled = (await session.run({"price": meant.chain.router.explain([meant.address], block)}))["price"]
        if isinstance(settled, Failure):
            raise settled.error
        last = {token: good async for token, good in _last_good(options, meant.chain, settled, session)}
    return Asked(meant, block, settled, symbols_of(program, meant.chain), last)


async def _last_good(
    options: Options, chain: ChainProgram, settled: Mapping[Address, Settled], session: Session
) -> AsyncIterator[tuple[Address, LastGood]]:
    """Of each held token. The store first: it knows prices that are made of more than one answer."""
    for token, one in settled.items():
        if one.quote.price is None:
            good = await _stored(options, chain, token, session.at) or await _of_feed(chain, one, session)
            if good:
                yield token, good


async def _stored(options: Options, chain: ChainProgram, token: Address, at: BlockRef) -> LastGood | None:
    """None also where the store cannot be read: what is missing here is an ornament, and the price is told without."""
    from indexer.cli.lastgood import from_store

    if not options.store_exists(settings := options.settings()):
        return None
    try:
        async with options.store(settings) as store:
            return await from_store(store, chain.name, token, at)
    except IndexerError as error:
        options.log("warning").warning("the store cannot tell the last good price", error=str(error))
        return None


async def _of_feed(chain: ChainProgram, settled: Settled, session: Session) -> LastGood | None:
    from indexer.cli.lastgood import from_feed
    from indexer.reads.rounds import Failure

    found = (await session.run({"last good": chain.router.last_good(settled, session.at)}))["last good"]
    return None if found is None or isinstance(found, Failure) else from_feed(found)
