"""How calls are packed, and what an endpoint teaches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexer.reads.sizes import GROW_AFTER, GROW_BY, START_BYTES, START_GAS, Scale, pack

WEIGHTS = st.lists(st.tuples(st.integers(1, START_BYTES), st.integers(1, START_GAS * 2)), max_size=30)


@given(WEIGHTS, st.sampled_from([0.25, 1.0, 2.0]))
def test_every_call_is_packed_once_in_order_and_no_pack_is_too_large(
    weights: list[tuple[int, int]], scale: float
) -> None:
    slices = [part for part, _ in pack(weights, scale)]
    assert [i for part in slices for i in range(part.start, part.stop)] == list(range(len(weights)))
    for part in slices:
        size, gas = map(sum, zip(*weights[part], strict=True))
        assert part.stop - part.start == 1 or (size <= START_BYTES * scale and gas <= START_GAS * scale)


@given(WEIGHTS)
def test_no_pack_ends_where_the_next_call_would_still_have_fitted(weights: list[tuple[int, int]]) -> None:
    slices = [part for part, _ in pack(weights, 1.0)]
    for part in slices[:-1]:
        size, gas = map(sum, zip(*weights[part.start : part.stop + 1], strict=True))
        assert size > START_BYTES or gas > START_GAS


def test_a_scale_grows_after_many_full_batches_and_stops_below_what_failed() -> None:
    scale = Scale()
    for _ in range(GROW_AFTER):
        scale.succeeded(1.0)
    assert scale.value == GROW_BY
    scale.too_big(GROW_BY)
    for _ in range(10 * GROW_AFTER):
        scale.succeeded(scale.value)
    assert scale.value == 1.0


def test_batches_that_are_not_full_never_grow_the_scale() -> None:
    scale = Scale()
    for _ in range(10 * GROW_AFTER):
        scale.succeeded(0.5)
    assert scale.value == 1.0


def test_several_batches_that_fail_at_once_shrink_the_scale_once() -> None:
    scale = Scale()
    for fill in (1.0, 0.99, 0.98):
        scale.too_big(fill)
    assert scale.value == 0.5


def test_a_batch_far_below_the_scale_that_fails_teaches_its_own_size() -> None:
    scale = Scale()
    scale.succeeded(0.1)
    scale.too_big(0.2)
    assert scale.value == 0.1
