"""Rows of the registry that read getters or events, then balances -> recipes in signatures.

The registry says which functions and events were read and whether tokens and owners came out of them, but not which
value is which. Where names or the only possibility do not tell it, the row is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from indexer.adapters.recipes.signature import Field, Signature, parse_event, parse_function
from indexer.model import NATIVE
from tools.protocol_parts import Reading, base_only, bucket_of, filled, first_block
from tools.protocol_rows import LeftOut, Row, as_address

UNSURE = "which of the values are tokens and which are owners is not in the registry"
NO_RECIPE = "its functions take arguments that are not in the registry"

IGNORED = re.compile(
    r"reward|creator|deployer|sender|caller|admin|governor|manager|oracle|hook|implementation|recipient|referr|curator"
    r"|router|accessor|incentive|debt|receipt|share|fee|keeper|beneficiary|index|submitter|priest|guardian|^owner$|^user$",
    re.IGNORECASE,
)
"""Names of what is neither a token that is held nor who holds it."""

TOKENS = re.compile(r"token|asset|currency|collateral|underlying|want|coin|^lp$|^base$|^quote$|^x$|^y$", re.IGNORECASE)
OWNERS = re.compile(r"pool|pair|vault|market|amm|lock|treasury|escrow|bonding|safe|campaign|clone|strat", re.IGNORECASE)

SIDES = re.compile(r"(0|1|2|3|a|b|c|x|y|base|quote)$|^(base|quote|currency0|currency1)", re.IGNORECASE)
"""How several tokens of one pool are told from tokens of other roles."""


@dataclass(slots=True)
class Text:
    """A recipe that is being written."""

    contracts: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def step(self, targets: Sequence[Any], **source: str) -> str:
        """A step on contracts; its name."""
        name = f"found{len(self.steps) + 1}"
        self.steps.append({"name": name, "on": self.named(targets, "asked"), **source})
        return name

    def named(self, addresses: Sequence[Any], role: str) -> str:
        """The name of a list of contracts."""
        those = list(dict.fromkeys(map(as_address, addresses)))
        for name, known in self.contracts.items():
            if known == those:
                return name
        name = f"{role}{len(self.contracts) + 1}"
        self.contracts[name] = those
        return name


@dataclass(frozen=True, slots=True)
class Roles:
    """The values that were found: as tokens, as owners, by step and field."""

    tokens: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


def by_getters(row: Row) -> list[Reading]:
    """Getters on known contracts, then balances."""
    text, balance = Text(), row.params["balance_of"]
    wants_owner = balance.get("owner") == "derived"
    wants_token = balance.get("tokens") == "derived"
    found = [_roles(step, fields, wants_token, wants_owner) for step, fields in _getters(text, row.params["getters"])]
    known = balance.get("owners") or (), balance.get("fixed_tokens") or ()
    return _reading(row, text, [holding for roles in found for holding in _holdings(text, roles, *known)])


def by_events(row: Row) -> list[Reading]:
    """Events of known contracts, then balances."""
    params = row.params
    owners, tokens = params.get("fixed_owners") or (), params.get("fixed_tokens") or ()
    text, found = Text(), []
    for event, logs in _by_event(params["logs"]).items():
        step = text.step([target for log in logs for target in log["targets"]], event=event)
        found.append(_roles(step, parse_event(event).outputs, not tokens, not owners))
    start = min((log.get("from_block") or 0 for log in params["logs"]), default=0)
    return _reading(row, text, [h for roles in found for h in _holdings(text, roles, owners, tokens)], start)


def _reading(row: Row, text: Text, held: Iterable[Mapping[str, Any]], start: int = 0) -> list[Reading]:
    """The recipe of these holdings."""
    held = list(held)
    if not held:
        raise LeftOut(UNSURE)
    bucket = {} if bucket_of(row) == "base" else {"bucket": bucket_of(row)}
    holdings = [{**holding, **bucket} for holding in held]
    params = {"contracts": text.contracts, "steps": text.steps, "holdings": holdings}
    return [Reading("recipe", params, start or first_block(row))]


def _holdings(text: Text, roles: Roles, owners: Sequence[str], tokens: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Tokens that were found with owners that were found, or else with those that are known; and the other way."""
    holders = [*roles.owners, *([text.named(owners, "owner")] if owners else [])]
    for holder in holders:
        if roles.tokens:
            yield {"token": list(roles.tokens), "owner": holder, "zero_is_native": True}
        if tokens:
            yield {"token": text.named(tokens, "token"), "owner": holder}
        if not roles.tokens and not tokens:
            yield {"token": "native", "owner": holder}


def _roles(step: str, fields: Sequence[Field], wants_token: bool, wants_owner: bool) -> Roles:
    """Which values of a step are tokens, and which owners. Raises LeftOut where it is not sure."""
    addresses = {_path(step, fields, i): one for i, one in enumerate(fields) if one.type == "address"}
    if len(addresses) == 1 and wants_token != wants_owner:
        only = tuple(addresses)
        return Roles(tokens=only) if wants_token else Roles(owners=only)
    named = {path: one.name for path, one in addresses.items() if not IGNORED.search(one.name)}
    tokens = tuple(path for path, name in named.items() if TOKENS.search(name) and not OWNERS.search(name))
    holders = tuple(path for path in named if path not in tokens)
    strange = [path for path in holders if not OWNERS.search(named[path])]
    if not all(named.values()) or (strange and not wants_owner) or not (wants_token or wants_owner):
        raise LeftOut(UNSURE)
    return Roles(_sides(tokens, named) if wants_token else (), _only(holders) if wants_owner else ())


def _sides(tokens: tuple[str, ...], names: Mapping[str, str]) -> tuple[str, ...]:
    """One token, or the sides of a pool. Raises LeftOut for tokens of unlike roles."""
    if not tokens or (len(tokens) > 1 and not all(SIDES.search(names[path]) for path in tokens)):
        raise LeftOut(UNSURE)
    return tokens


def _only(holders: tuple[str, ...]) -> tuple[str, ...]:
    if len(holders) != 1:
        raise LeftOut(UNSURE)
    return holders


def _path(step: str, fields: Sequence[Field], place: int) -> str:
    if len(fields) == 1:
        return step
    return f"{step}.{fields[place].name or place}"


def _getters(text: Text, getters: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, Sequence[Field]]]:
    """Each getter as a step, with what it gives; a count and the getter by index after it are one step."""
    rest = list(getters)
    while rest:
        getter, signature = rest[0], _signature(rest[0])
        following = _signature(rest[1]) if len(rest) > 1 else None
        if following and _is_count(signature) and _is_indexed(following):
            step = text.step(getter["targets"], count=_short(signature), item=_short(following))
            yield step, following.outputs
            rest = rest[2:]
        else:
            yield _single(text, getter, signature)
            rest = rest[1:]


def _single(text: Text, getter: Mapping[str, Any], signature: Signature) -> tuple[str, Sequence[Field]]:
    """A getter without arguments, of values or of a list. Raises LeftOut for others."""
    if signature.inputs or _is_count(signature):
        raise LeftOut(NO_RECIPE)
    lists = [one for one in signature.outputs if one.element is not None]
    if not lists:
        return text.step(getter["targets"], get=_short(signature)), signature.outputs
    step = text.step(getter["targets"], list=_short(signature))
    if len(lists) == 1:
        (element,) = (one.element for one in lists)
        return step, (element.parts or (element,)) if element else ()
    return step, tuple(Field(one.name or str(i), e.type) for i, one in enumerate(lists) if (e := one.element))


def _is_count(signature: Signature) -> bool:
    (first, *others) = signature.outputs
    return not signature.inputs and not others and first.type.startswith("uint")


def _is_indexed(signature: Signature) -> bool:
    return len(signature.inputs) == 1 and signature.inputs[0].type.startswith("uint")


def _signature(getter: Mapping[str, Any]) -> Signature:
    try:
        return parse_function(getter["sig"])
    except ValueError:
        raise LeftOut("a signature that is none") from None


def _short(signature: Signature) -> str:
    """A signature with the names of its outputs only, and without those that nobody could use."""
    inputs = ",".join(one.type for one in signature.inputs)
    return f"{signature.name}({inputs})({', '.join(map(_output, signature.outputs))})"


def _output(one: Field) -> str:
    kind = f"({', '.join(map(_output, one.parts))}){one.type[one.type.rindex(')') + 1 :]}" if one.parts else one.type
    return f"{kind} {one.name}".strip()


def _by_event(logs: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Logs by their event, without the word. Raises LeftOut for one that is known by its hash alone."""
    events: dict[str, list[Mapping[str, Any]]] = {}
    for log in logs:
        told = " ".join(str(log.get("event") or "").split()).removeprefix("event ")
        if not told:
            raise LeftOut("an event that is known by its hash alone")
        events.setdefault(told, []).append(log)
    return events


def _liquity(row: Row) -> list[Reading]:
    """Trove managers, each with its collateral, which is the native coin where none is named."""
    troves = row.params["troves"]
    if any(trove.keys() - {"trove_manager", "collateral_token"} for trove in troves):
        raise LeftOut("troves with functions of their own")
    pairs = [
        {
            "trove_manager": as_address(trove.get("trove_manager")),
            "token": as_address(trove.get("collateral_token", NATIVE)),
        }
        for trove in troves
    ]
    return [Reading("liquity_v1", {"troves": pairs}, base_only(row))]


def _bold(row: Row) -> list[Reading]:
    return [Reading("liquity_v2", {"registries": filled(row.addresses("collateral_registries"))}, base_only(row))]


KINDS: Mapping[str, Callable[[Row], list[Reading]]] = {
    "getter_then_balance": by_getters,
    "event_then_balance": by_events,
    "liquity_v1": _liquity,
    "liquity_v2": _bold,
}
"""Kinds of the registry that are recipes."""
