"""Multicall payloads and results against eth_abi."""

from __future__ import annotations

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from indexer.model import Address
from indexer.reads.aggregate3 import Cut, Payload, encode_calls, encode_item

TARGETS = st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex()))
CALLS = st.lists(st.tuples(TARGETS, st.binary(max_size=100)), max_size=8)
RESULTS = st.lists(st.tuples(st.booleans(), st.binary(max_size=100)), min_size=1, max_size=8)


def encoded(results: list[tuple[bool, bytes]]) -> bytes:
    return encode(["(bool,bytes)[]"], [results])


def expected(results: list[tuple[bool, bytes]]) -> list[bytes | None]:
    return [data if success else None for success, data in results]


@given(CALLS, CALLS)
def test_calldata_is_aggregate3s_with_the_witness_in_front(
    witness: list[tuple[Address, bytes]], calls: list[tuple[Address, bytes]]
) -> None:
    items = [encode_item(target, data) for target, data in witness]
    data = bytes.fromhex(encode_calls(calls, items).calldata(items)[2:])
    assert data[:4].hex() == "82ad56cb"
    expected_calls = tuple((target, True, call) for target, call in [*witness, *calls])
    assert decode(["(address,bool,bytes)[]"], data[4:])[0] == expected_calls
    assert data[4:] == encode(["(address,bool,bytes)[]"], [list(expected_calls)])


@given(CALLS, CALLS, st.integers(0, 255))
def test_calldata_made_for_one_witness_goes_with_any_other_of_its_lengths(
    witness: list[tuple[Address, bytes]], calls: list[tuple[Address, bytes]], flip: int
) -> None:
    items = [encode_item(target, data) for target, data in witness]
    others = [encode_item(target, bytes(byte ^ flip for byte in data)) for target, data in witness]
    payload = encode_calls(calls, items)
    assert payload.calldata(others) == encode_calls(calls, others).calldata(others)
    assert payload.calldata(items) == encode_calls(calls, items).calldata(items)


@given(RESULTS, RESULTS)
def test_answers_are_the_same_with_the_last_cut_as_without(
    first: list[tuple[bool, bytes]], second: list[tuple[bool, bytes]]
) -> None:
    second = (second * len(first))[: len(first)]
    payload = Payload("", 0, len(first))
    assert payload.answers(encoded(first)) == expected(first)
    assert payload.answers(encoded(second)) == expected(second)
    assert payload.answers(encoded(first)) == expected(first)


def test_a_call_that_fails_with_as_many_bytes_as_it_answered_is_seen_as_failed() -> None:
    payload = Payload("", 0, 2)
    assert payload.answers(encoded([(True, bytes(32)), (True, bytes(32))])) == [bytes(32), bytes(32)]
    assert payload.answers(encoded([(True, bytes(32)), (False, bytes(32))])) == [bytes(32), None]


@given(RESULTS, st.data())
def test_a_result_with_one_word_replaced_is_refused_or_cut_within_its_bytes(
    results: list[tuple[bool, bytes]], data: st.DataObject
) -> None:
    honest = encoded(results)
    at = 32 * data.draw(st.integers(0, len(honest) // 32 - 1))
    value = data.draw(st.sampled_from([2**256 - 1, 2**64, 0, 1, 2, at]))
    changed = honest[:at] + value.to_bytes(32, "big") + honest[at + 32 :]
    payload = Payload("", 0, len(results))
    payload.answers(honest)
    try:
        answers = payload.answers(changed)
    except ValueError:
        return
    assert sum(len(answer or b"") for answer in answers) <= len(changed)
    assert answers == Payload("", 0, len(results)).answers(changed), "one who never saw the honest one cuts it alike"


@pytest.mark.parametrize("result", [b"", bytes(64), bytes(31), encoded([(True, b"")] * 3)])
def test_what_is_not_the_answer_of_so_many_calls_is_refused(result: bytes) -> None:
    with pytest.raises(ValueError, match="multicall"):
        Payload("", 0, 2).answers(result)


def test_results_that_all_refer_to_the_same_long_answer_are_refused() -> None:
    def word(value: int) -> bytes:
        return value.to_bytes(32, "big")

    count = 100
    aliased = word(32) + word(count) + word(32 * count) * count + word(1) + word(64) + word(9_000) + bytes(9_000)
    with pytest.raises(ValueError, match="again and again"):
        Cut.of(aliased, count)
