"""What people call a token -> the one token of the one chain they mean, or an error with near matches.

An address means every chain that prices it, a symbol every chain that knows it: `--chain` chooses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from indexer.config.types import checksum, parse_address
from indexer.errors import UnknownName, clean
from indexer.model import Address

if TYPE_CHECKING:
    from indexer.run.program import ChainProgram, Program

NEAR = 4
CHOOSE = "Choose by `--chain`, or give its address."
KNOWN = "Tokens are rows of [tokens.CHAIN.SYMBOL], and of the catalog for the chains that are configured."


@dataclass(frozen=True, slots=True)
class Meant:
    """One token of one chain; `symbol` is the configuration's name for it."""

    chain: ChainProgram
    address: Address
    symbol: str


def meant_by(program: Program, name: str, chain: str | None) -> Meant:
    """The token that `name` stands for. Raises UnknownName where it is none of ours, or more than one."""
    known = [token for one in _chains(program, chain) for token in known_of(program, one)]
    found = _of_address(name, known) if name[:2].lower() == "0x" else _of_symbol(name, known)
    if len(found) == 1:
        return found[0]
    shown = clean(name, 64)
    if found:
        raise UnknownName(f"{shown} is more than one token: {_listed(found)}", hint=CHOOSE)
    raise UnknownName(f"no token {shown!r} {_place(chain)}{_near(name, known)}", hint=KNOWN)


def known_of(program: Program, chain: ChainProgram) -> list[Meant]:
    """Every token of a chain that has a route; one with several rows by its first symbol."""
    rows = program.settings.tokens.get(chain.name, {})
    found: dict[Address, Meant] = {}
    for symbol, row in rows.items():
        if row.routes:
            found.setdefault(row.address, Meant(chain, row.address, symbol))
    return list(found.values())


def symbols_of(program: Program, chain: ChainProgram) -> Mapping[Address, str]:
    """The configuration's name for each token of a chain."""
    return {row.address: symbol for symbol, row in program.settings.tokens.get(chain.name, {}).items()}


def _chains(program: Program, name: str | None) -> Iterable[ChainProgram]:
    if name is None:
        return program.chains.values()
    if name not in program.chains:
        close = get_close_matches(name, program.chains, n=1)
        guess = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(program.chains) or 'none'}"
        raise UnknownName(f"no chain {clean(name, 64)!r} in the configuration; {guess}")
    return [program.chains[name]]


def _of_address(name: str, known: Sequence[Meant]) -> list[Meant]:
    try:
        address = parse_address(name)
    except ValueError as error:
        raise UnknownName(f"{clean(name, 64)}: {error}", hint="Copy the address again.") from None
    return [token for token in known if token.address == address]


def _of_symbol(name: str, known: Sequence[Meant]) -> list[Meant]:
    """As it is written; only where nothing is called so, in other letters."""
    same = [token for token in known if token.symbol == name]
    return same or [token for token in known if token.symbol.casefold() == name.casefold()]


def _listed(tokens: Iterable[Meant]) -> str:
    return ", ".join(f"{token.symbol} on {token.chain.name} ({checksum(token.address)})" for token in tokens)


def _place(chain: str | None) -> str:
    return f"with a price on {chain}" if chain else "with a price in the configuration"


def _near(name: str, known: Iterable[Meant]) -> str:
    by_key: dict[str, list[Meant]] = {}
    for token in known:
        by_key.setdefault(token.symbol.casefold(), []).append(token)
    wanted = name.casefold()
    close = get_close_matches(wanted, by_key, n=NEAR) or [key for key in by_key if wanted and wanted in key]
    return f"; near it: {_listed([token for key in close for token in by_key[key]][:NEAR])}" if close else ""
