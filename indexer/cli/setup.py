"""The whole set-up, looked at once: configuration, endpoints, prices of every configured token, store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sized

from indexer.cli.finding import Finding, failed, fine, note, problem
from indexer.cli.options import Options
from indexer.cli.probe import probe_endpoints
from indexer.cli.text import amount_text, duration
from indexer.errors import IndexerError
from indexer.model import Address, BlockRef, Quote
from indexer.pricing.chainlink import differences
from indexer.reads.rounds import Failure, rounds
from indexer.run.live import open_chain
from indexer.run.program import ChainProgram, Program
from indexer.units import PRICE_DECIMALS


async def findings_of_setup(options: Options) -> list[Finding]:
    """A finding for each thing that the program needs. Raises ConfigError where there is nothing to go by."""
    options.log("warning")
    program = options.program()
    counted = f"{_count(program.chains, 'chain')}, {_count(program.deployments, 'deployment')}"
    found = [fine(str(options.config_file()), counted), *_of_shared(program)]
    for chain in program.chains.values():
        found += [finding async for finding in _of_chain(options, program, chain)]
    return [*found, await _of_store(options, program)]


def _of_shared(program: Program) -> list[Finding]:
    """Contracts that two deployments count: allowed, and worth knowing."""
    hint = "`tvl overlap` shows what it comes to. Leave the contract out of one of them, if it is not meant."
    return [note(f"{one.chain} counted twice", str(one), hint) for one in program.shared_contracts()]


async def _of_chain(options: Options, program: Program, chain: ChainProgram) -> AsyncIterator[Finding]:
    """Prices are only asked for where an endpoint answers: one cause, one line."""
    alive = False
    async for finding in probe_endpoints(chain.name, chain.settings):
        alive = alive or finding.level == "ok"
        yield finding
    if not alive:
        return
    try:
        for finding in [*await _of_feeds(options, program, chain), *await _of_prices(options, program, chain)]:
            yield finding
    except IndexerError as error:
        yield failed(f"{chain.name} prices", error)


async def _of_feeds(options: Options, program: Program, chain: ChainProgram) -> list[Finding]:
    """What a feed that a route names says of itself, against its row: a note for each that differs."""
    rows = {name: (feed.address, feed.decimals) for name, feed in program.settings.feeds.get(chain.name, {}).items()}
    tokens = program.settings.tokens.get(chain.name, {}).values()
    named = {route.get("feed") for token in tokens for route in token.routes}
    used = {name: row for name, row in rows.items() if name in named}
    if not used:
        return []
    async with open_chain(chain, options.log("warning")) as live:
        told = (await rounds(live.reader, {"feeds": differences(used)}, await live.head()))["feeds"]
    what = f"{chain.name} feeds"
    if isinstance(told, Failure):
        return [problem(what, told.reason)]
    hint = "Compare its address with its provider's list; a `pair` in its row holds it while it says another."
    agree = f"{len(used) - len(told)} of {_count(used, 'feed')} describe themselves as their rows do"
    return [fine(what, agree), *(note(f"{chain.name} feed {name}", text, hint) for name, text in told.items())]


async def _of_prices(options: Options, program: Program, chain: ChainProgram) -> list[Finding]:
    """A line for each configured token with a route, at the newest block."""
    tokens = {symbol: token.address for symbol, token in program.settings.tokens.get(chain.name, {}).items()}
    async with open_chain(chain, options.log("warning")) as live:
        at = await live.head()
        quotes = (await rounds(live.reader, {"quotes": chain.router.plan(tokens.values(), at)}, at))["quotes"]
    if isinstance(quotes, Failure):
        return [problem(f"{chain.name} prices", quotes.reason)]
    heartbeats = {feed.address: feed.heartbeat_s for feed in program.settings.feeds.get(chain.name, {}).values()}
    return [
        _of_price(f"{chain.name} {symbol}", quotes[address], at, heartbeats)
        for symbol, address in tokens.items()
        if address in quotes
    ]


def _of_price(what: str, quote: Quote, at: BlockRef, heartbeats: Mapping[Address, int]) -> Finding:
    if quote.price is None:
        return problem(what, f"{quote.status}: {quote.reason}", "See the token's routes, and the row of its feed.")
    due = [duration(heartbeats[step.target]) for step in quote.steps if step.target in heartbeats]
    age = f"{duration(quote.age_s(at))} old" + (f" (heartbeat {', '.join(due)})" if due else "")
    told = [f"${amount_text(quote.price, PRICE_DECIMALS)}", f"grade {quote.grade}", quote.route, age, *quote.flags]
    return fine(what, ", ".join(told))


async def _of_store(options: Options, program: Program) -> Finding:
    """Opened, and written to without a change: what it knows of its deployments is written again."""
    what = f"store {options.redact(program.settings.store.url)}"
    try:
        async with options.store(program.settings) as store:
            known = await store.deployments()
            await store.register(known)
    except IndexerError as error:
        return failed(what, error)
    return fine(what, f"can be written; {_count(known, 'deployment')} in it")


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
