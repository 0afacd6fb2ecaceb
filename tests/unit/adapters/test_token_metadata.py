"""Decimals and symbols of honest and hostile tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from indexer.adapters.metadata import SYMBOL_RAW_BYTES, token_metadata
from indexer.model import NATIVE, Address, Status, Token
from indexer.reads.plan import Answer, Ask, Call, Failed
from indexer.testing import drive

TOKEN = Address("0x" + "0a" * 20)
ETHER = Token(NATIVE, "ETH", 18)
REVERTED = Failed(Status.HELD, "execution reverted")
RECORDED = Path(__file__).parents[2] / "data" / "metadata" / "mainnet_tokens.json"


def described(decimals: bytes | Failed, symbol: bytes | Failed) -> Token:
    """The token whose two getters answer these bytes."""

    def answer(ask: Ask) -> Answer:
        assert isinstance(ask, Call)
        raw = {"decimals": decimals, "symbol": symbol}[ask.function.name]
        return raw if isinstance(raw, Failed) else ask.function.decode(raw)

    return drive(token_metadata([TOKEN], ETHER), answer)[TOKEN]


def word(n: int) -> bytes:
    return n.to_bytes(32, "big")


def string(text: str | bytes) -> bytes:
    return encode(["bytes"], [text.encode() if isinstance(text, str) else text])


EIGHTEEN = word(18)


@pytest.mark.parametrize("row", json.loads(RECORDED.read_text("utf-8"))["tokens"], ids=lambda row: row["symbol"])
def test_mainnet_tokens_are_called_what_they_are_called(row: dict[str, str | int]) -> None:
    raw = {name: bytes.fromhex(str(row[f"{name}()"])[2:]) for name in ("decimals", "symbol")}
    token = described(raw["decimals"], raw["symbol"])
    assert (token.symbol, token.decimals) == (row["symbol"], row["decimals"])
    assert raw["symbol"].hex().startswith(token.symbol_raw)


@pytest.mark.parametrize("said", [0, 1, 18, 77])
def test_usable_decimals_are_taken(said: int) -> None:
    assert described(word(said), string("X")).decimals == said


@pytest.mark.parametrize(
    "answer",
    [word(78), word(255), word(256), word(2**256 - 1), b"", word(18)[:31], REVERTED, Failed(Status.MISSING, "no code")],
    ids=["78", "255", "256", "huge", "empty", "short", "reverted", "missing"],
)
def test_unusable_decimals_are_none_and_never_a_guess(answer: bytes | Failed) -> None:
    token = described(answer, string("X"))
    assert (token.decimals, token.symbol) == (None, "X")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"MKR".ljust(32, b"\0"), "MKR"),
        (string("USDC"), "USDC"),
        (string(""), ""),
        (string("e\u0301"), "\u00e9"),
        (string("A\x00B\x1b[31mC\nD"), "A B [31mC D"),
        (string("\u202eCDSU\u202c"), "CDSU"),
        (string("\u2066x\u2069\u200by\u2060z"), "x y z"),
        (string("<script>alert(1)</script>"), "<script>alert(1)</script>"),
        (string("x" * 1_000_000), "x" * 32),
        (string("\U0001f600" * 40), "\U0001f600" * 32),
        (string(b"\xff\xfeX"), "\ufffd\ufffdX"),
        (word(2**256 - 1) + word(1), ""),
        (word(32) + word(2**255) + b"A" * 32, ""),
        (b"", ""),
        (REVERTED, ""),
    ],
    ids=[
        "bytes32", "string", "empty", "nfc", "control", "bidi", "zero width", "markup", "a megabyte", "emoji",
        "not utf-8", "offset beyond", "length beyond", "nothing", "reverted",
    ],
)  # fmt: skip
def test_a_symbol_is_shown_clean_and_short(raw: bytes | Failed, shown: str) -> None:
    token = described(EIGHTEEN, raw)
    assert (token.symbol, token.decimals) == (shown, 18)
    assert len(token.symbol_raw) <= 2 * SYMBOL_RAW_BYTES


@given(decimals=st.binary(max_size=70), symbol=st.one_of(st.binary(max_size=400), st.text().map(string)))
def test_whatever_a_token_says_it_is_bounded_and_one_line(decimals: bytes, symbol: bytes) -> None:
    token = described(decimals, symbol)
    assert token.decimals is None or 0 <= token.decimals <= 77
    assert len(token.symbol) <= 32
    assert not set(token.symbol) & {"\0", "\n", "\r", "\t", "\x1b", "\u202e", "\u200b", "\u2028"}
    token.symbol.encode("utf-8")


def test_the_native_coin_is_what_the_chain_says_and_is_not_asked() -> None:
    assert drive(token_metadata([NATIVE], ETHER), lambda _: pytest.fail("asked")) == {NATIVE: ETHER}


def test_each_token_is_asked_once_and_all_in_one_round() -> None:
    plan = token_metadata([TOKEN, NATIVE, TOKEN], ETHER)
    assert len(next(plan)) == 2
    with pytest.raises(StopIteration) as stop:
        plan.send([6, string("USDC")])
    assert stop.value.value == {TOKEN: Token(TOKEN, "USDC", 6, string("USDC").hex()), NATIVE: ETHER}
