"""Why a value changed: every case lands in its part, and the parts add up to the change to the last unit."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from indexer.model import Bucket, Flow, Snapshot, Status
from indexer.valuation.attribution import BOTH, END_POINTS, LOGS, Attribution, Attributor, Moves, attribute
from indexer.valuation.parts import Parts
from tests.unit.valuation.histories import (
    DOLLAR,
    GOLD,
    JAR,
    KEY,
    OTHER,
    POT,
    SILVER,
    USD,
    History,
    at,
    gap,
    histories,
    place,
    receipt_quote,
    snapshot,
    suspect,
    total_of,
)

OUNCE = 10**18
ALL = (Bucket.BASE, Bucket.BORROWED)


def told(parts: Parts) -> dict[str, int]:
    """The parts that are not nothing, in whole dollars (all examples are)."""
    names = ("flow", "price", "yielded", "debt", "scope", "method", "residual")
    found = {name: getattr(parts, name) for name in names if getattr(parts, name)}
    assert all(usd % USD == 0 for usd in found.values())
    return {name: usd // USD for name, usd in found.items()}


def why(*snapshots: Snapshot, bucket: Bucket = Bucket.BASE, **known: object) -> dict[str, int]:
    made = attribute(KEY, snapshots, **known)  # type: ignore[arg-type]
    return told(made.total(bucket))


def gold(number: int, ounces: int | None, dollars: int | None, **rest: object) -> Snapshot:
    amount = None if ounces is None else ounces * OUNCE
    price = None if dollars is None else dollars * DOLLAR
    return snapshot(number, {place(GOLD): amount}, {GOLD: price}, **rest)  # type: ignore[arg-type]


def flow(number: int, came: int, went: int) -> Flow:
    return Flow(at(number), GOLD, POT, Bucket.BASE, came * OUNCE, went * OUNCE)


def logs(*flows: Flow) -> object:
    return lambda after, upto: Moves([f for f in flows if after < f.at.number <= upto], {place(GOLD)})


def test_the_price_doubles_and_nobody_moves() -> None:
    assert why(gold(1, 10, 5), gold(2, 10, 10)) == {"price": 50}


def test_a_deposit_at_a_flat_price_is_flow_alone() -> None:
    assert why(gold(1, 10, 5), gold(2, 14, 5)) == {"flow": 20}


def test_end_points_share_what_moved_together_at_the_mid_price() -> None:
    assert why(gold(1, 10, 4), gold(2, 20, 8)) == {"flow": 60, "price": 60}


def test_a_flow_that_the_logs_place_in_the_later_block_has_that_blocks_price() -> None:
    assert why(gold(1, 10, 4), gold(2, 20, 8), ledger=logs(flow(2, 10, 0))) == {"flow": 80, "price": 40}


def test_a_flow_between_two_snapshots_has_the_mid_of_their_prices() -> None:
    assert why(gold(1, 10, 4), gold(3, 20, 8), ledger=logs(flow(2, 10, 0))) == {"flow": 60, "price": 60}


def test_units_that_grew_without_a_transfer_are_yield_where_the_logs_are_complete() -> None:
    assert why(gold(1, 100, 4), gold(2, 115, 4), ledger=logs(flow(2, 10, 0))) == {"flow": 40, "yielded": 20}


def test_what_came_and_went_within_a_block_is_gross_flow_and_no_net_flow() -> None:
    made = attribute(KEY, [gold(1, 10, 5), gold(2, 10, 5)], logs(flow(2, 1000, 1000)))  # type: ignore[arg-type]
    parts = made.total()
    assert (parts.gross_in, parts.gross_out, parts.flow) == (5000 * USD, 5000 * USD, 0)
    assert made.changes[0].basis == LOGS


def test_a_full_entry_and_a_full_exit_are_flow() -> None:
    assert why(gold(1, 0, 5), gold(2, 9, 5)) == {"flow": 45}
    assert why(gold(1, 9, 5), gold(2, 0, 5)) == {"flow": -45}


def test_what_was_there_before_the_first_snapshot_is_scope() -> None:
    attributor = Attributor(KEY)
    attributor.take(gold(5, 9, 5))
    made = attributor.cut()
    assert told(made.total()) == {"scope": 45}
    assert made.opened is None


def test_a_newly_tracked_token_is_scope_and_what_the_logs_saw_come_is_flow() -> None:
    before, after = snapshot(1, {}, {}), gold(2, 9, 5)
    assert why(before, after) == {"scope": 45}
    assert why(before, after, ledger=logs(flow(2, 9, 0))) == {"flow": 45}
    assert attribute(KEY, [before, after]).changes[0].notes == ("newly tracked",)


def test_what_comes_with_a_contract_that_is_new_is_flow() -> None:
    before, after = snapshot(5, {}, {}), gold(7, 9, 5)
    assert why(before, after, created={POT: 6}) == {"flow": 45}
    assert why(before, after, created={POT: 5}) == {"scope": 45}, "it was there before, and not read"


def test_a_contract_that_had_no_code_began_and_what_is_in_it_came_in() -> None:
    one = gold(1, None, 5)
    line = replace(one.lines[0], holding=replace(one.lines[0].holding, status=Status.MISSING), status=Status.MISSING)
    assert why(replace(one, lines=(line,)), gold(2, 9, 5)) == {"flow": 45}


def test_a_dropped_token_is_scope() -> None:
    assert why(gold(1, 9, 5), snapshot(2, {}, {})) == {"scope": -45}


def test_a_token_that_lost_its_price_leaves_as_scope_and_comes_back_as_scope() -> None:
    before, lost, back = gold(1, 10, 5), gold(2, 12, None), gold(3, 12, 6)
    assert why(before, lost) == {"flow": 10, "scope": -60}
    assert why(before, lost, back) == {"flow": 10, "price": 12}
    notes = attribute(KEY, [before, lost, back]).changes[0].notes
    assert notes == ("left out: held: stale for 7200 s", "counted again")


def test_an_amount_that_could_not_be_read_moves_on_by_what_the_logs_say() -> None:
    unread = gold(2, None, 5)
    series = [gold(1, 10, 5), unread, gold(3, 14, 5)]
    assert why(*series) == {"flow": 20}
    assert why(*series, ledger=logs(flow(2, 4, 0))) == {"flow": 20}
    assert why(*series[:2], ledger=logs(flow(2, 4, 0))) == {"flow": 20, "scope": -70}


def test_a_first_price_is_scope() -> None:
    unpriced = snapshot(1, {place(GOLD): 10 * OUNCE}, {})
    assert why(unpriced, gold(2, 10, 5)) == {"scope": 50}


def test_a_suspect_holding_keeps_its_flow_and_leaves_the_totals_as_scope() -> None:
    assert why(gold(1, 10, 5), suspect(gold(2, 20, 5), GOLD)) == {"flow": 50, "scope": -100}


def test_with_a_change_of_rules_units_are_method_and_the_price_is_still_price() -> None:
    assert why(gold(1, 10, 4), gold(2, 20, 8, methodology="2")) == {"method": 60, "price": 60}
    assert why(gold(1, 10, 4), gold(2, 20, 4, adapter="k@2")) == {"method": 40}
    assert why(gold(1, 10, 4), snapshot(2, {}, {}, adapter="k@2")) == {"method": -40}
    assert attribute(KEY, [gold(1, 10, 4), gold(2, 20, 4, adapter="k@2")]).changes[0].notes == (
        "adapter k@1 became k@2",
    )


def test_with_a_change_of_rules_what_the_logs_tell_is_still_flow() -> None:
    after = gold(2, 20, 4, adapter="k@2")
    assert why(gold(1, 10, 4), after, ledger=logs(flow(2, 3, 0))) == {"flow": 12, "method": 28}


def test_borrowed_units_are_debt() -> None:
    before, after = (snapshot(n, {place(SILVER, Bucket.BORROWED): n * 10**6}, {SILVER: DOLLAR}) for n in (1, 4))
    assert why(before, after, bucket=Bucket.BORROWED) == {"debt": 3}


def test_the_growth_of_a_receipts_rate_is_yield_and_the_rest_of_its_price_is_price() -> None:
    def shares(number: int, rate: int, underlying: int) -> Snapshot:
        return snapshot(number, {place(GOLD): 100 * OUNCE}, {GOLD: receipt_quote(GOLD, rate, underlying)})

    assert why(shares(1, 100, 2), shares(2, 110, 2)) == {"yielded": 20}
    assert why(shares(1, 100, 2), shares(2, 100, 3)) == {"price": 100}
    assert why(shares(1, 100, 2), shares(2, 120, 4)) == {"yielded": 60, "price": 220}


def test_gaps_are_skipped_and_counted() -> None:
    made = attribute(KEY, [gold(1, 10, 5), gap(2), gap(3), gold(4, 12, 5)])
    assert told(made.total()) == {"flow": 10}
    assert made.skipped == 2
    assert made.closed == at(4)


def test_a_row_sums_its_owners_and_says_how_it_is_known() -> None:
    both = {place(GOLD): OUNCE, place(GOLD, owner=JAR): OUNCE}
    more = {place(GOLD): 2 * OUNCE, place(GOLD, owner=JAR): 3 * OUNCE}
    series = [snapshot(1, both, {GOLD: DOLLAR}), snapshot(2, more, {GOLD: DOLLAR})]
    (row,) = attribute(KEY, series, logs(flow(2, 1, 0))).changes  # type: ignore[arg-type]
    assert (row.opening, row.closing) == (2 * USD, 5 * USD)
    assert (row.opening_amount, row.closing_amount) == (2 * OUNCE, 5 * OUNCE)
    assert row.basis == BOTH
    assert attribute(KEY, series).changes[0].basis == END_POINTS


def cuts(history: History, where: list[int]) -> list[Attribution]:
    """What changed up to each of the given blocks."""
    attributor, made = Attributor(KEY, history.ledger), []
    for one in history.snapshots:
        attributor.take(one)
        if one.at.number in where:
            made.append(attributor.cut())
    return made


@given(histories())
def test_the_parts_of_any_history_add_up_to_the_change_exactly(history: History) -> None:
    numbers = [one.at.number for one in history.snapshots]
    seen = [one for one in history.snapshots if one.status is not Status.GAP]
    for known in (history, replace(history, logged=frozenset())):
        made = cuts(known, numbers)
        for bucket in ALL:
            total = sum((part.total(bucket).change for part in made), 0)
            assert total == (total_of(seen[-1], bucket) if seen else 0)
        for attribution in made:
            assert all(row.closing - row.opening == row.parts.change for row in attribution.changes)


@given(histories())
def test_gross_in_minus_gross_out_is_net_and_neither_is_negative(history: History) -> None:
    for row in cuts(history, [history.snapshots[-1].at.number])[0].changes:
        assert row.parts.gross_in - row.parts.gross_out == row.parts.flow
        assert row.parts.gross_in >= 0
        assert row.parts.gross_out >= 0


@given(histories(), st.data())
def test_every_part_is_additive_over_adjoining_intervals(history: History, data: st.DataObject) -> None:
    last = history.snapshots[-1].at.number
    where = data.draw(st.sets(st.integers(1, last)))
    (whole,) = cuts(history, [last])
    parts = cuts(history, sorted(where | {last}))
    for bucket in ALL:
        summed = sum((part.total(bucket) for part in parts), Parts())
        assert summed == whole.total(bucket)


@given(histories())
def test_a_reorg_that_is_taken_back_leaves_no_trace(history: History) -> None:
    """The canonical series alone counts: the same snapshots give the same parts, whatever was seen between."""
    forked = [replace(one, at=at(one.at.number, fork=1)) for one in history.snapshots]
    assert attribute(KEY, forked).total() == attribute(KEY, history.snapshots).total()


@given(histories())
def test_the_residual_is_nothing_where_values_are_amounts_times_prices(history: History) -> None:
    (made,) = cuts(history, [history.snapshots[-1].at.number])
    assert all(row.parts.residual == 0 for row in made.changes)


def test_a_value_that_is_not_amount_times_price_is_residual() -> None:
    after = gold(2, 10, 5)
    odd = replace(after, lines=(replace(after.lines[0], usd=57 * USD),))
    assert why(gold(1, 10, 5), odd) == {"residual": 7}


def test_a_token_with_other_decimals_than_before_is_method() -> None:
    before = gold(1, 10, 5)
    after = snapshot(2, {place(GOLD): 10 * OUNCE}, {GOLD: 5 * DOLLAR})
    told_otherwise = replace(after.tokens[GOLD], decimals=17)
    changed = replace(after, tokens={GOLD: told_otherwise}, lines=(replace(after.lines[0], usd=500 * USD),))
    assert why(before, changed) == {"method": 450}


def test_an_empty_history_explains_nothing() -> None:
    made = attribute(KEY, [])
    assert (made.opened, made.closed, made.changes) == (None, None, ())


def test_a_token_is_one_row_for_each_bucket() -> None:
    held = {place(OTHER): 5, place(OTHER, Bucket.OWN): 7}
    made = attribute(KEY, [snapshot(1, held, {OTHER: DOLLAR}), snapshot(2, held, {OTHER: 2 * DOLLAR})])
    assert [(row.bucket, told(row.parts)) for row in made.changes] == [
        (Bucket.BASE, {"price": 5}),
        (Bucket.OWN, {"price": 7}),
    ]
