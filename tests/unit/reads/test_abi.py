"""Functions against eth_abi, the reference implementation, and against answers that no contract should give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_abi.abi import decode as reference_decode
from eth_abi.abi import encode as reference_encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.model import Address, Status
from indexer.reads.abi import function, interface, parse_interface, text, topic
from indexer.reads.plan import Call, Failed
from indexer.reads.types import abi_type

TARGET = Address("0x" + "ab" * 20)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WIDTHS = st.integers(1, 32)


def element_types() -> st.SearchStrategy[str]:
    sized = [st.builds("{}{}".format, st.just(name), WIDTHS.map(lambda w: w * 8)) for name in ("uint", "int")]
    fixed = st.builds("bytes{}".format, WIDTHS)
    return st.one_of(st.sampled_from(["address", "bool", "string", "bytes"]), fixed, *sized)


def all_types() -> st.SearchStrategy[str]:
    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        arrays = st.builds("{}{}".format, inner, st.sampled_from(["[]", "[1]", "[3]"]))
        return arrays | st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({','.join(parts)})")

    return st.recursive(element_types(), larger, max_leaves=6)


def values_of(kind: str) -> st.SearchStrategy[Any]:
    tree = abi_type(kind)
    if kind.endswith("]"):
        length = tree.length
        return st.lists(values_of(tree.parts[0].text), min_size=length or 0, max_size=length or 3).map(tuple)
    if kind.endswith(")"):
        return st.tuples(*(values_of(part.text) for part in tree.parts))
    if kind in ("string", "bytes"):
        return st.text(max_size=40) if kind == "string" else st.binary(max_size=70)
    return word_values(kind)


def word_values(kind: str) -> st.SearchStrategy[Any]:
    if kind == "bool":
        return st.booleans()
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
    if kind.startswith("bytes"):
        return st.binary(min_size=int(kind[5:]), max_size=int(kind[5:]))
    bits = int(kind.removeprefix("u")[3:])
    low = 0 if kind.startswith("u") else -(1 << bits - 1)
    return st.integers(low, (1 << bits if kind.startswith("u") else 1 << bits - 1) - 1)


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[list[str], list[Any]]:
    kinds = draw(st.lists(all_types(), min_size=1, max_size=4))
    return kinds, [draw(values_of(kind)) for kind in kinds]


@PATIENT
@given(typed_values())
def test_answers_decode_to_what_the_reference_decodes(sample: tuple[list[str], list[Any]]) -> None:
    kinds, values = sample
    data = reference_encode(kinds, values)
    answer = function(f"f()({','.join(kinds)})").decode(data)
    expected = reference_decode(kinds, data)
    assert answer == (expected[0] if len(kinds) == 1 else expected)


@PATIENT
@given(typed_values())
def test_arguments_are_encoded_as_the_reference_encodes_them(sample: tuple[list[str], list[Any]]) -> None:
    kinds, values = sample
    call = function(f"f({','.join(kinds)})()")(TARGET, *values)
    assert call.data[4:] == reference_encode(kinds, values)


@PATIENT
@given(st.lists(all_types(), min_size=1, max_size=3), st.binary(max_size=400))
def test_decoding_any_bytes_gives_a_value_or_malformed_and_never_raises(kinds: list[str], data: bytes) -> None:
    answer = function(f"f()({','.join(kinds)})").decode(data)
    if isinstance(answer, Failed):
        assert answer.status is Status.MALFORMED
        assert answer.reason.startswith("f: ")


@PATIENT
@given(typed_values(), st.data())
def test_an_answer_with_one_word_replaced_never_raises(
    sample: tuple[list[str], list[Any]], data: st.DataObject
) -> None:
    kinds, values = sample
    honest = reference_encode(kinds, values)
    at = 32 * data.draw(st.integers(0, len(honest) // 32 - 1))
    word = data.draw(st.sampled_from([2**256 - 1, 2**255, 2**64, 2**32, 0, 32, at]) | st.integers(0, 2**256 - 1))
    function(f"f()({','.join(kinds)})").decode(honest[:at] + word.to_bytes(32, "big") + honest[at + 32 :])


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("bool", 2),
        ("address", 1 << 160),
        ("uint8", 256),
        ("int8", 128),
        ("uint112", 1 << 112),
        ("bytes4", 1),
    ],
)
def test_a_dirty_word_is_malformed(output: str, word: int) -> None:
    for outputs, data in (
        (output, word.to_bytes(32, "big")),
        (f"{output},{output}", bytes(32) + word.to_bytes(32, "big")),
    ):
        answer = function(f"f()({outputs})").decode(data)
        assert isinstance(answer, Failed)
        assert answer.status is Status.MALFORMED


@pytest.mark.parametrize("size", [0, 1, 31, 63])
def test_a_short_answer_is_malformed(size: int) -> None:
    assert isinstance(function("f()(uint256,uint256)").decode(bytes(size)), Failed)


def test_words_after_the_expected_ones_are_ignored() -> None:
    assert function("f()(uint256)").decode((7).to_bytes(32, "big") + bytes(32)) == 7


@pytest.mark.parametrize(
    "signature",
    [
        "f()(uint)",
        "f()(uint7)",
        "f()(uint264)",
        "f()(uint008)",
        "f()(bytes33)",
        "f()(bytes0)",
        "f()(uint256[0])",
        "f()(())",
        "f()(adress)",
        "f()(uint256,)",
        "f((uint256)(uint256)",
        "f())(uint256)",
        "f",
        "balance of",
        "f()(" + "(" * 40 + "uint256" + ")" * 40 + ")",
    ],
)
def test_a_signature_that_cannot_be_is_refused_with_a_sentence(signature: str) -> None:
    with pytest.raises(ValueError, match=r".{15,}"):
        function(signature)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint256", -1),
        ("int8", 128),
        ("address", "0x12"),
        ("address", 5),
        ("bool", 2),
        ("uint256", "7"),
        ("uint256", 1.0),
        ("bytes4", b"12345"),
        ("string", 5),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(kind: str, value: object) -> None:
    one = function(f"f({kind})()")
    with pytest.raises(ValueError, match=r"."):
        one(TARGET, value)
    with pytest.raises(ValueError, match="2 arguments for 1 parameters"):
        one(TARGET, value, value)


def test_selectors_and_topics_are_the_published_ones() -> None:
    assert function("balanceOf(address)(uint256)").selector.hex() == "70a08231"
    assert interface("multicall3").aggregate3.selector.hex() == "82ad56cb"
    assert interface("erc20").events["Transfer"] == topic("Transfer(address,address,uint256)")
    assert topic("Transfer(address, address, uint256)").startswith("0xddf252ad1be2c89b")


def test_the_same_call_made_twice_is_the_same_object() -> None:
    balance_of = function("balanceOf(address)(uint256)")
    assert balance_of(TARGET, TARGET) is balance_of(TARGET, TARGET)
    assert balance_of(TARGET, TARGET) == Call(TARGET, balance_of(TARGET, TARGET).data, balance_of)


def test_the_raw_form_of_a_function_asks_the_same_question() -> None:
    symbol = interface("erc20").symbol
    assert symbol.raw(TARGET) == symbol(TARGET)
    assert symbol.raw.decode(b"anything") == b"anything"
    assert function("symbol()").decode(b"\x01") == b"\x01"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (reference_encode(["string"], ["USDC"]), "USDC"),
        (b"MKR".ljust(32, b"\0"), "MKR"),
        (reference_encode(["string"], [""]), ""),
        (b"", ""),
        (bytes(32), ""),
        (reference_encode(["bytes"], [b"\xff\xfeBAD"]), "\ufffd\ufffdBAD"),
        (reference_encode(["string"], ["A\x00B\u202eC\n"]), "A B C"),
        (reference_encode(["string"], ["e\u0301"]), "\u00e9"),
        (reference_encode(["string"], ["x" * 1_000_000]), "x" * 32),
        (bytes(31) + b"\x20" + b"\xff" * 32, ""),
    ],
)
def test_a_symbol_is_shown_safely_however_it_is_encoded(raw: bytes, shown: str) -> None:
    assert text(raw) == shown


@given(st.binary(max_size=200))
def test_any_bytes_make_a_text_of_at_most_32_printable_characters(raw: bytes) -> None:
    shown = text(raw)
    assert len(shown) <= 32
    assert not any(ord(char) < 32 for char in shown)


def test_a_failed_answer_has_no_text() -> None:
    assert text(Failed(Status.HELD, "reverted")) == ""


def test_an_interface_with_overloads_is_refused() -> None:
    entry = {"type": "function", "name": "f", "inputs": [], "outputs": []}
    with pytest.raises(ValueError, match="stands twice"):
        parse_interface(json.dumps([entry, entry]))


def test_tuples_in_a_json_abi_become_their_components() -> None:
    assert interface("multicall3").aggregate3.signature == "aggregate3((address,bool,bytes)[])"
    assert interface("multicall3").aggregate3.outputs == ("(bool,bytes)[]",)
    with pytest.raises(AttributeError, match="no function"):
        _ = interface("multicall3").missing
