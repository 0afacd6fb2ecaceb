"""A configuration -> the program it describes: chains, their deployments with typed parameters, and their prices.

Every problem that only an adapter or an oracle can see is added to the draft, so that all are told at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.adapters.base import Adapter, Params
from indexer.adapters.registry import ParamErrors, adapter, parse_params
from indexer.config.load import Draft, load
from indexer.config.protocols import guess, shipped
from indexer.config.schema import PRICED, ChainSettings, DeploymentSettings, FeedSettings, Settings
from indexer.config.types import Cadence
from indexer.errors import ConfigError, UnknownName, clean
from indexer.model import NATIVE, Address, Token
from indexer.pricing.guards import GuardSettings
from indexer.pricing.router import Route, Router
from indexer.run.abroad import broken_loans
from indexer.store.base import DeploymentRow
from indexer.valuation.rules import NAMES
from indexer.valuation.shared import Listing, SharedContract, shared_contracts
from indexer.valuation.verdicts import QualitySettings


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment, ready to be read."""

    key: str
    protocol: str
    chain: str
    category: str
    adapter: Adapter[Any]
    params: Params
    first_block: int
    every: Cadence

    @property
    def version(self) -> str:
        """Kind and version of the code that reads it; part of every snapshot."""
        return f"{self.adapter.kind}@{self.adapter.version}"

    def row(self) -> DeploymentRow:
        """What the store keeps of it."""
        return DeploymentRow(
            key=self.key,
            protocol=self.protocol,
            chain=self.chain,
            kind=self.adapter.kind,
            category=self.category,
            params_json=json.dumps(self.params.model_dump(mode="json"), sort_keys=True),
            first_block=self.first_block,
        )


@dataclass(frozen=True, slots=True)
class ChainProgram:
    """One chain: where to ask, what to read, how to price. `others` are all chains, for prices that come from them."""

    name: str
    settings: ChainSettings
    deployments: tuple[Deployment, ...]
    router: Router
    native: Token
    others: Mapping[str, ChainProgram] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Program:
    """All that a configuration asks for."""

    settings: Settings
    folder: Path
    chains: Mapping[str, ChainProgram]

    @property
    def deployments(self) -> list[Deployment]:
        """Every deployment of every chain."""
        return [deployment for chain in self.chains.values() for deployment in chain.deployments]

    def shared_contracts(self) -> list[SharedContract]:
        """Contracts whose holdings two deployments count, as far as the configuration tells."""
        return shared_contracts(
            Listing(deployment.key, deployment.chain, deployment.params.model_dump(mode="json"))
            for deployment in self.deployments
        )

    def select(self, names: Sequence[str]) -> list[Deployment]:
        """The deployments of the protocols (or deployment keys) named; all if none is. Raises UnknownName."""
        chosen = [d for d in self.deployments if not names or d.protocol in names or d.key in names]
        known = {name for d in chosen for name in (d.protocol, d.key)}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise _unknown(unknown[0], sorted({d.protocol for d in self.deployments}))
        return chosen


def load_program(file: Path) -> Program:
    """Read a configuration whole. Raises ConfigError with every problem in it."""
    draft = load(file)
    return assemble(draft, draft.settings or draft.checked())


def assemble(draft: Draft, settings: Settings) -> Program:
    """The program of settings that have a shape. Raises ConfigError with every problem, old and new."""
    deployments = [d for i, row in enumerate(settings.protocols) if (d := _deployment(draft, settings, i, row))]
    chains: dict[str, ChainProgram] = {}
    chains |= {
        name: ChainProgram(
            name=name,
            settings=chain,
            deployments=tuple(d for d in deployments if d.chain == name),
            router=_router(draft, settings, name),
            native=Token(NATIVE, chain.native.symbol, chain.native.decimals),
            others=chains,
        )
        for name, chain in settings.chains.items()
    }
    for chain, problem in broken_loans({name: one.router for name, one in chains.items()}):
        draft.add(("tokens", chain), problem)
    _check_quality(draft, settings)
    draft.checked()
    return Program(settings, draft.file.parent, chains)


def _unknown(name: str, configured: Sequence[str]) -> UnknownName:
    """The error for a protocol that is not configured; it says how, where the catalog has it."""
    told = guess(name, configured) if configured else "there are none"
    if any(row.is_named((name,)) for row in shipped()):
        hint = f'The catalog has it: `protocols = ["{name}"]` under [select], and its chain under [chains.NAME].'
        return UnknownName(f"no protocol {clean(name, 64)!r} in the configuration; {told}", hint=hint)
    return UnknownName(f"no protocol {clean(name, 64)!r} in the configuration; {told}")


def _deployment(draft: Draft, settings: Settings, index: int, row: DeploymentSettings) -> Deployment | None:
    where = ("protocols", index)
    try:
        kind = adapter(row.kind)
        params = parse_params(row.kind, _listed(settings, row))
    except UnknownName as error:
        draft.add((*where, "kind"), str(error))
        return None
    except ParamErrors as error:
        for path, sentence in error.problems:
            draft.add((*where, *path), sentence)
        return None
    if row.chain not in settings.chains:
        return None
    return Deployment(
        key=row.key,
        protocol=row.name,
        chain=row.chain,
        category=row.category,
        adapter=kind,
        params=params,
        first_block=row.first_block,
        every=row.every or settings.chains[row.chain].every,
    )


def _listed(settings: Settings, row: DeploymentSettings) -> Mapping[str, Any]:
    """The parameters, with every token that is priced where the row says so in one word."""
    if row.params.get("tokens") != PRICED:
        return row.params
    return {**row.params, "tokens": settings.priced(row.chain)}


def _router(draft: Draft, settings: Settings, chain: str) -> Router:
    """The chain's prices. A circle or a token without an end is a problem of the chain's tokens."""
    tokens = settings.tokens.get(chain, {})
    symbols = {symbol: token.address for symbol, token in tokens.items()}
    feeds = settings.feeds.get(chain, {})
    routes: dict[Address, list[Route]] = {}
    whole = True
    for symbol, token in tokens.items():
        for i, table in enumerate(token.routes):
            try:
                route = Route.parse(_resolved(_of_other_chain(table, settings), symbols, feeds))
            except (ConfigError, UnknownName) as error:
                draft.add(("tokens", chain, symbol, "routes", i), error.message)
                whole = False
            else:
                routes.setdefault(token.address, []).append(route)
    sequencer = settings.chains[chain].sequencer_feed
    try:
        guards = _guards(draft, settings, settings.chains[chain])
        return Router(routes if whole else {}, guards, sequencer.address if sequencer else None)
    except ConfigError as error:
        draft.add(("tokens", chain), error.message)
        return Router({})


def _guards(draft: Draft, settings: Settings, chain: ChainSettings) -> GuardSettings:
    """The chain's guards: its row's grace for the sequencer stands where `[guards]` says none."""
    own = {"sequencer_grace_s": chain.sequencer_feed.grace_s} if chain.sequencer_feed else {}
    try:
        return GuardSettings.parse(own | settings.guards)
    except ConfigError as error:
        draft.add(("guards",), error.message)
        return GuardSettings()


def _of_other_chain(table: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """A route to another chain's token, with its symbol there as its address."""
    chain, symbol = table.get("chain"), table.get("token")
    rows = settings.tokens.get(chain, {}) if isinstance(chain, str) else {}
    return {**table, "token": rows[symbol].address} if isinstance(symbol, str) and symbol in rows else table


def _check_quality(draft: Draft, settings: Settings) -> None:
    try:
        QualitySettings.parse(settings.quality, NAMES)
    except ConfigError as error:
        draft.add(("quality",), error.message)


def _resolved(table: Mapping[str, Any], symbols: Mapping[str, Address], feeds: Mapping[str, FeedSettings]) -> Any:
    """A route as its oracle knows it: symbols as addresses, and a feed's name as what the feed's row says."""
    route = dict(table)
    for key in ("in", "asset"):
        if route.get(key) in symbols:
            route[key] = symbols[route[key]]
    if route.get("kind") == "chainlink" and route.get("feed") in feeds:
        name = route["feed"]
        row = feeds[name]
        return {"name": name} | row.model_dump(exclude={"address"}) | route | {"feed": row.address}
    return route
