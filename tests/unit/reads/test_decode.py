"""Answers built to cost their reader memory or time."""

from __future__ import annotations

import tracemalloc

import pytest

from indexer.reads.abi import function
from indexer.reads.plan import Failed


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def aliased_tuples(count: int, body: int) -> bytes:
    """`(bool,bytes)[]` whose elements all refer to one tuple with `body` bytes."""
    offsets = word(32 * count) * count
    return word(32) + word(count) + offsets + word(1) + word(64) + word(body) + bytes(body)


def nested_arrays(levels: int, width: int) -> bytes:
    """`uint256[][]…` where every element of a level refers to the one array of the next."""
    return word(32) + b"".join(word(width) + word(32 * width) * width for _ in range(levels)) + word(0)


def peak_bytes(decode: object, data: bytes) -> tuple[object, int]:
    tracemalloc.start()
    try:
        answer = decode(data)  # type: ignore[operator]
        return answer, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_aliased_offset_bomb_is_refused_before_it_unfolds() -> None:
    data = aliased_tuples(count=4_000, body=128_000)
    answer, peak = peak_bytes(function("f()((bool,bytes)[])").decode, data)
    assert isinstance(answer, Failed)
    assert "again and again" in answer.reason
    assert peak < 8 * len(data)


def test_arrays_of_arrays_that_refer_to_one_another_are_refused() -> None:
    data = nested_arrays(levels=6, width=100)
    answer, peak = peak_bytes(function("f()(uint256[][][][][][])").decode, data)
    assert isinstance(answer, Failed)
    assert peak < 32 * len(data)


@pytest.mark.parametrize("length", [2**32, 2**64, 2**255, 2**256 - 1])
@pytest.mark.parametrize("kind", ["bytes", "string", "uint256[]", "string[]", "(uint256,bytes)[]"])
def test_a_huge_length_or_offset_is_refused_without_allocating(kind: str, length: int) -> None:
    decode = function(f"f()({kind})").decode
    for data in (word(32) + word(length) + bytes(64), word(length) + bytes(96)):
        answer, peak = peak_bytes(decode, data)
        assert isinstance(answer, Failed)
        assert peak < 100_000


def test_a_type_with_a_huge_fixed_array_is_refused_by_the_answers_size() -> None:
    answer, peak = peak_bytes(function("f()(uint256[999999999])").decode, bytes(320))
    assert isinstance(answer, Failed)
    assert peak < 100_000


def test_a_string_that_is_not_utf8_is_malformed() -> None:
    answer = function("f()(string)").decode(word(32) + word(2) + b"\xff\xfe".ljust(32, b"\0"))
    assert isinstance(answer, Failed)
    assert "UTF-8" in answer.reason


def test_an_offset_that_points_back_at_itself_is_refused_or_bounded() -> None:
    answer = function("f()(bytes[])").decode(word(32) + word(3) + word(0) * 3)
    assert answer == (b"", b"", b"")


def test_an_encoder_that_shares_an_empty_element_is_still_understood() -> None:
    data = word(32) + word(2) + word(64) + word(64) + word(0)
    assert function("f()(string[])").decode(data) == ("", "")


def test_an_answer_without_padding_is_still_understood() -> None:
    assert function("f()(bytes)").decode(word(32) + word(3) + b"abc") == b"abc"
