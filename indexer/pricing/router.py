"""Tokens -> quotes: every route of every token, and of the tokens those need, read in lock-step and composed.

One plan for all tokens of a block: a question is asked once however many routes need it. A pure function of the block,
so that following the chain and filling in its history give the same quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from operator import is_
from typing import Any, TypeAlias

from indexer.errors import CallFailed, ConfigError
from indexer.model import Address, BlockRef, Quote, Step
from indexer.pricing import registry
from indexer.pricing.base import Oracle, OracleParams, Reading
from indexer.pricing.compose import Candidate, Priced, Refused, Settled, Try, attempt, settle
from indexer.pricing.gather import Outcome, lockstep
from indexer.pricing.guards import Fresh, GuardSettings, judge
from indexer.pricing.sequencer import Uptime, UptimeParams
from indexer.reads.plan import Plan


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a token's price: an oracle kind and its parameters."""

    kind: str
    params: OracleParams

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Route:
        """A route of a configuration: `kind`, and the kind's parameters. Raises ConfigError, UnknownName."""
        kind, params = table.get("kind"), {key: value for key, value in table.items() if key != "kind"}
        if not isinstance(kind, str):
            raise ConfigError(f"a route needs a kind: one of {', '.join(registry.kinds())}")
        return cls(kind, registry.parse_params(kind, params))


Leg: TypeAlias = tuple[Address, int]
"""A token, and which of its routes, counted from 0."""

UPTIME = -1
"""Stands for a route where the token is the sequencer's uptime feed."""


class Router:
    """Routes of the tokens of one chain, best first, and the guards they stand under.

    `sequencer` is the chain's uptime feed, where it is an L2 with one. Raises ConfigError for tokens that price each
    other in a circle, or count in a token that has no route.
    """

    def __init__(
        self,
        routes: Mapping[Address, Sequence[Route]],
        guards: GuardSettings | None = None,
        sequencer: Address | None = None,
        load: Callable[[str], Oracle[Any]] = registry.oracle,
    ) -> None:
        self._routes = {token: tuple(ways) for token, ways in routes.items() if ways}
        self._oracles = {way.kind: load(way.kind) for ways in self._routes.values() for way in ways}
        self._guards = guards or GuardSettings()
        self._sequencer = (sequencer, UPTIME) if sequencer else None
        self._last: dict[Address, tuple[tuple[object, ...], Settled]] = {}
        self._order: tuple[dict[Address, set[Address]], list[Address]] = ({}, [])
        _refuse_unpriced(self._routes)
        _refuse_cycles(self._routes)

    @property
    def guards(self) -> GuardSettings:
        """The thresholds that its quotes stand under."""
        return self._guards

    @property
    def routes(self) -> Mapping[Address, Sequence[Route]]:
        """Every priced token with its routes, best first."""
        return self._routes

    def plan(self, tokens: Iterable[Address], at: BlockRef) -> Plan[dict[Address, Quote]]:
        """Quotes of those of `tokens` that have a route; the others are absent. HELD where no route can be trusted."""
        wanted = list(tokens)
        settled = yield from self.explain(wanted, at)
        return {token: settled[token].quote for token in wanted if token in settled}

    def explain(self, tokens: Iterable[Address], at: BlockRef) -> Plan[dict[Address, Settled]]:
        """As `plan`, with every route that was tried and what became of it; behind them, the tokens they count in."""
        wanted = [token for token in dict.fromkeys(tokens) if token in self._routes]
        readings = yield from lockstep(self._first(wanted), lambda leg: self._start(leg, at), self._next)
        down, marks = self._of_chain(readings, at)
        judged = {leg: self._judged(leg, outcome, at, down, marks) for leg, outcome in readings.items()}
        settled = self._settle(judged, at)
        return {token: settled[token] for token in [*wanted, *reversed(settled)]}

    def last_good(self, settled: Settled, at: BlockRef) -> Plan[Priced | None]:
        """The newest answer in USD that a source of a held token gave and only its age may speak against.

        To be shown beside the held quote, with its age; never a price. None where no source of it can say.
        """
        relaxed = replace(self._guards, observe=self._guards.observe | {Fresh.guard})
        found: list[Priced] = []
        for i, route in enumerate(self._routes[settled.quote.token]):
            for step in _refused_steps(settled.candidates[i].tried):
                readings = yield from self._oracles[route.kind].earlier(route.params, step, at)
                found += [one for reading in readings if (one := _unheld(reading, at, relaxed))][:1]
        return max(found, key=lambda one: one.steps[0].time(at), default=None)

    def _first(self, tokens: Sequence[Address]) -> list[Leg]:
        """The legs known before anything is read: all that `tokens` are declared to need, and the sequencer's."""
        legs = dict.fromkeys(self._legs(tokens))
        waiting = list(legs)
        while waiting:
            token, i = waiting.pop()
            new = [leg for leg in self._legs(self._routes[token][i].params.of) if leg not in legs]
            legs.update(dict.fromkeys(new))
            waiting.extend(new)
        return [*legs, self._sequencer] if legs and self._sequencer else list(legs)

    def _legs(self, tokens: Iterable[Address]) -> Iterator[Leg]:
        return ((token, i) for token in tokens for i in range(len(self._routes.get(token, ()))))

    def _start(self, leg: Leg, at: BlockRef) -> Plan[Reading]:
        token, i = leg
        if i == UPTIME:
            return Uptime().read(token, UptimeParams(feed=token), at)
        route = self._routes[token][i]
        return self._oracles[route.kind].read(token, route.params, at)

    def _next(self, reading: Reading) -> Iterator[Leg]:
        return self._legs(reading.of)

    def _of_chain(self, readings: dict[Leg, Outcome[Reading]], at: BlockRef) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Problems and flags that every feed of the chain shares at this block; takes the sequencer's reading out."""
        outcome = readings.pop(self._sequencer, None) if self._sequencer else None
        if outcome is None:
            return (), ()
        if isinstance(outcome, CallFailed):
            return (f"sequencer: {outcome.message}",), ()
        problems, flags = judge(outcome.checks, at, self._guards)
        return problems, (*outcome.flags, *flags)

    def _judged(
        self, leg: Leg, outcome: Outcome[Reading], at: BlockRef, down: tuple[str, ...], marks: tuple[str, ...]
    ) -> Outcome[Reading]:
        if isinstance(outcome, CallFailed):
            return outcome
        problems, flags = judge(outcome.checks, at, self._guards)
        if self._oracles[self._routes[leg[0]][leg[1]].kind].feed:
            problems, flags = (*problems, *down), (*flags, *marks)
        if not problems and not flags:
            return outcome
        return replace(outcome, problems=(*outcome.problems, *problems), flags=(*outcome.flags, *flags))

    def _settle(self, judged: Mapping[Leg, Outcome[Reading]], at: BlockRef) -> dict[Address, Settled]:
        """Every token read, after the tokens it counts in."""
        legs, order = self._ordered(judged)
        settled: dict[Address, Settled] = {}
        for token in order:
            settled[token] = self._settled(token, legs, settled, at)
        return settled

    def _settled(
        self, token: Address, judged: Mapping[Leg, Outcome[Reading]], settled: Mapping[Address, Settled], at: BlockRef
    ) -> Settled:
        """What becomes of a token; what became of it last, where it is made of the very same things."""
        outcomes = [judged[token, i] for i in range(len(self._routes[token]))]
        parts = [settled.get(needed) for one in outcomes if not isinstance(one, CallFailed) for needed in one.of]
        made_of = (*outcomes, *parts)
        before, last = self._last.get(token, ((), None))
        if last is None or len(before) != len(made_of) or not all(map(is_, before, made_of)):
            last = settle(token, self._candidates(token, judged, settled), at, self._guards)
            self._last[token] = made_of, last
        return last

    def _ordered(self, judged: Mapping[Leg, Outcome[Reading]]) -> tuple[Mapping[Leg, Outcome[Reading]], list[Address]]:
        """The legs without circles, and the tokens in an order in which each comes after those that it counts in.

        Tokens count in the same ones block after block: the order is remembered where there was no circle.
        """
        needs = _needs(judged)
        if needs == self._order[0]:
            return judged, self._order[1]
        legs = _without_circles(judged, needs)
        left = _needs(legs)
        order = [token for token in TopologicalSorter(left).static_order() if token in left]
        if left == needs:
            self._order = needs, order
        return legs, order

    def _candidates(
        self, token: Address, judged: Mapping[Leg, Outcome[Reading]], settled: Mapping[Address, Settled]
    ) -> list[Candidate]:
        found = []
        for i, route in enumerate(self._routes[token]):
            oracle = self._oracles[route.kind]
            tried = attempt(oracle.label(route.params), judged[token, i], settled)
            found.append(Candidate(tried, oracle.last_resort))
        return found


def _refused_steps(tried: Try) -> tuple[Step, ...]:
    """The evidence of a source that was refused, where it is one answer."""
    return tried.steps if isinstance(tried, Refused) and len(tried.steps) == 1 else ()


def _unheld(reading: Reading, at: BlockRef, guards: GuardSettings) -> Priced | None:
    problems, flags = judge(reading.checks, at, guards)
    tried = None if problems or reading.of else attempt(reading.label, replace(reading, flags=flags), {})
    return tried if isinstance(tried, Priced) else None


def _refuse_unpriced(routes: Mapping[Address, Sequence[Route]]) -> None:
    missing = {
        f"{route.kind} of {token} counts in {needed}, which has no route"
        for token, ways in routes.items()
        for route in ways
        for needed in route.params.of
        if needed not in routes
    }
    if missing:
        raise ConfigError("; ".join(sorted(missing)))


def _refuse_cycles(routes: Mapping[Address, Sequence[Route]]) -> None:
    needs = {token: {needed for route in ways for needed in route.params.of} for token, ways in routes.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " > ".join(reversed(error.args[1]))
        raise ConfigError(f"tokens price each other in a circle: {circle}") from None


def _needs(judged: Mapping[Leg, Outcome[Reading]]) -> dict[Address, set[Address]]:
    """Of each token those that any of its routes counts in."""
    needs: dict[Address, set[Address]] = {}
    for (token, _), outcome in judged.items():
        needs.setdefault(token, set()).update(() if isinstance(outcome, CallFailed) else outcome.of)
    return needs


def _without_circles(
    judged: Mapping[Leg, Outcome[Reading]], needs: Mapping[Address, set[Address]]
) -> dict[Leg, Outcome[Reading]]:
    """Legs whose token comes back to itself, through any routes of what it holds, become failures that say so.

    Every such leg, not only one of the circle: which token was asked for first must not matter.
    """
    reached = {token: _reachable(token, needs) for token in needs}
    return {leg: _unless_circular(leg[0], outcome, reached) for leg, outcome in judged.items()}


def _unless_circular(
    token: Address, outcome: Outcome[Reading], reached: Mapping[Address, set[Address]]
) -> Outcome[Reading]:
    if isinstance(outcome, CallFailed):
        return outcome
    back = [needed for needed in outcome.of if token == needed or token in reached.get(needed, ())]
    return CallFailed(f"circle: {token} counts in {back[0]}, which counts in it") if back else outcome


def _reachable(token: Address, needs: Mapping[Address, set[Address]]) -> set[Address]:
    found: set[Address] = set()
    waiting = [token]
    while waiting:
        new = needs.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found
