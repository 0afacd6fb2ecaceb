"""Token addresses -> decimals and a symbol that is safe to show, in one round.

Everything a token says of itself is hostile text until cleaned. What it does not say properly is None or empty: never a
guess of 18. Never decides whether a token is counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from indexer.adapters.parts import ask_groups
from indexer.model import NATIVE, Address, Token
from indexer.reads.abi import interface, text
from indexer.reads.plan import Answer, Ask, Failed, Plan
from indexer.units import MAX_TOKEN_DECIMALS

SYMBOL_RAW_BYTES = 192
"""How much of a symbol's answer is kept as it came: offset, length and 32 code points of UTF-8."""


def token_metadata(addresses: Iterable[Address], native: Token) -> Plan[dict[Address, Token]]:
    """Every token by its address; `native` for the zero address. Never raises for what a token says.

    A symbol may be a `string` or a `bytes32`, so its answer is asked for as bytes.
    """
    tokens = list(dict.fromkeys(addresses))
    answers = yield from ask_groups(map(_asks, tokens))
    return {
        address: _token(address, *answer) if answer else native for address, answer in zip(tokens, answers, strict=True)
    }


def _asks(token: Address) -> list[Ask]:
    erc20 = interface("erc20")
    return [] if token == NATIVE else [erc20.decimals(token), erc20.symbol.raw(token)]


def _token(address: Address, decimals: Answer, symbol: Answer) -> Token:
    raw = b"" if isinstance(symbol, Failed) else symbol
    usable = not isinstance(decimals, Failed) and decimals <= MAX_TOKEN_DECIMALS
    return Token(address, text(raw), decimals if usable else None, raw[:SYMBOL_RAW_BYTES].hex())
