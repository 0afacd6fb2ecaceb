"""What is suspect is seen, named and kept out of the headline; what is true is believed once something else says so."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import ConfigError
from indexer.model import Grade, Status
from indexer.valuation.books import Book
from indexer.valuation.history import Path, weighted_mean, weighted_median
from indexer.valuation.quality import WORSE
from indexer.valuation.rules import NAMES, RULES
from indexer.valuation.verdicts import QualitySettings
from tests.unit.valuation.stocks import USD, block, book, quote
from tests.unit.valuation.worlds import evidence, flow, found, logs, moment, of, token, verdict

STEADY = moment([("d", 100), ("e", 50)])


def pool(*held: tuple[str, int], **prices: object) -> Book:
    """A constant-product pool of an exchange."""
    return book(
        "dex",
        [(name, amount, "pair>LP") for name, amount in held],
        prices,
        category="dex",  # type: ignore[arg-type]
        adapter="uniswap_v2@1",
    )


def test_a_quiet_series_is_ok_and_its_headline_is_its_base() -> None:
    one = verdict(evidence(STEADY, STEADY, STEADY))
    assert (one.status, one.reason, one.findings) == (Status.OK, "", ())
    assert one.headline.usd == 150 * USD
    assert one.headline.left_out == ()


def test_a_leap_of_units_that_no_log_explains_is_suspect_and_left_out() -> None:
    one = verdict(evidence(STEADY, moment([("d", 500), ("e", 50)])))
    assert one.status is Status.SUSPECT
    assert one.tokens == {token("d"): Status.SUSPECT}
    assert one.headline.usd == 50 * USD
    assert one.headline.left_out[0].usd == 500 * USD
    assert "units changed by 400, and no complete transfer logs are stored" in one.reason


def test_a_real_fivefold_inflow_is_believed_at_once_because_the_logs_say_so() -> None:
    one = verdict(evidence(STEADY, moment([("d", 500), ("e", 50)]), flown=[logs(50, flow(20, "d", 450, 50))]))
    assert one.status is Status.OK
    assert found(one) == {"jump": Status.OK}
    assert one.headline.usd == 550 * USD
    assert "as the transfer logs say" in of(one, "jump").reason


def test_logs_that_explain_a_part_only_are_no_explanation() -> None:
    one = verdict(evidence(STEADY, moment([("d", 500), ("e", 50)]), flown=[logs(50, flow(20, "d", 200, 0))]))
    assert one.status is Status.SUSPECT
    assert "of which the transfer logs explain 200" in one.reason


def test_what_nothing_corroborates_is_not_believed_by_waiting() -> None:
    lie = moment([("d", 500), ("e", 50)])
    assert verdict(evidence(STEADY, *[lie] * 40)).status is Status.SUSPECT


def test_what_came_back_to_where_it_was_is_believed_again() -> None:
    lie = moment([("d", 500), ("e", 50)])
    assert verdict(evidence(STEADY, lie, lie, STEADY)).findings == ()


def test_growth_by_steps_is_followed() -> None:
    steps = [moment([("d", 100 * 2**i), ("e", 50)]) for i in range(8)]
    assert verdict(evidence(*steps)).status is Status.OK


def test_a_token_of_little_weight_may_leap() -> None:
    assert verdict(evidence(moment([("d", 1000), ("e", 1)]), moment([("d", 1000), ("e", 40)]))).findings == ()


def test_between_snapshots_that_were_left_out_a_difference_is_drift() -> None:
    one = evidence(STEADY, STEADY, moment([("d", 500), ("e", 50)]), moment([("d", 500), ("e", 50)]))
    apart = replace(one, before=(*one.before[:2], replace(one.before[2], follows=False)))
    assert verdict(one).status is Status.SUSPECT
    assert verdict(apart).status is Status.OK


def test_a_price_that_doubles_on_its_own_word_is_suspect() -> None:
    one = verdict(evidence(moment([("e", 10), ("d", 100)], e=10), moment([("e", 10), ("d", 100)], e=20)))
    assert one.status is Status.SUSPECT
    assert "price changed to 2.0 times, on the word of its own source alone" in one.reason
    assert one.headline.usd == 100 * USD


def test_a_price_that_a_pool_bears_out_is_believed() -> None:
    trading = pool(("e", 100), ("d", 2000), e=20)
    one = verdict(evidence(moment([("e", 10)], e=10), moment([("e", 10)], e=20), others=[trading]))
    assert one.status is Status.OK
    assert "and the pools that trade it hold $2,000.00 of it against $2,000.00" in of(one, "jump").reason


def test_a_price_that_a_pool_denies_is_not() -> None:
    trading = pool(("e", 100), ("d", 1000), e=20)
    one = verdict(evidence(moment([("e", 10)], e=10), moment([("e", 10)], e=20), others=[trading]))
    assert one.status is Status.SUSPECT
    assert "but the pools that trade it hold $2,000.00 of it against $1,000.00" in one.reason


def test_a_fall_is_suspect_but_nothing_is_kept_out_that_is_still_there() -> None:
    one = verdict(evidence(STEADY, moment([("d", 20), ("e", 50)])))
    assert one.status is Status.SUSPECT
    assert one.headline.usd == 70 * USD
    explained = verdict(evidence(STEADY, moment([("d", 20), ("e", 50)]), flown=[logs(50, flow(7, "d", 0, 80))]))
    assert explained.status is Status.OK


def test_a_token_that_is_gone_is_vanished_unless_the_logs_saw_it_leave() -> None:
    gone = moment([("e", 50)])
    assert found(verdict(evidence(STEADY, gone))) == {"vanished": Status.SUSPECT}
    left = verdict(evidence(STEADY, gone, flown=[logs(50, flow(9, "d", 0, 100))]))
    assert found(left) == {"vanished": Status.OK}


def test_a_token_that_was_not_there_is_a_newcomer_unless_the_logs_saw_it_come() -> None:
    came = moment([("d", 100), ("e", 50), ("f", 90)])
    one = verdict(evidence(STEADY, came))
    assert found(one) == {"newcomer": Status.SUSPECT}
    assert one.headline.usd == 150 * USD
    seen = verdict(evidence(STEADY, came, flown=[logs(50, flow(9, "f", 90, 0), tokens="f")]))
    assert found(seen) == {"newcomer": Status.OK}


def test_a_protocol_that_begins_is_no_newcomer() -> None:
    assert verdict(evidence(moment([]), STEADY)).status is Status.OK


def test_a_price_that_is_held_is_held_and_is_no_vanished_token() -> None:
    one = verdict(evidence(STEADY, moment([("d", 100), ("e", 50)], d=None)))
    assert one.status is Status.HELD
    assert one.tokens == {token("d"): Status.HELD}
    assert one.headline.usd == 50 * USD
    assert one.headline.left_out[0].usd is None


def test_a_leap_while_a_token_was_held_is_seen_when_it_comes_back() -> None:
    blind = moment([("d", 100), ("e", 50)], d=None)
    assert verdict(evidence(STEADY, blind, STEADY)).status is Status.OK
    assert verdict(evidence(STEADY, blind, moment([("d", 900), ("e", 50)]))).status is Status.SUSPECT


def test_a_gap_is_a_gap() -> None:
    one = evidence(STEADY, STEADY)
    blank = replace(one.book.snapshot, lines=(), quotes={}, tokens={}, totals={}, status=Status.GAP, reason="no answer")
    judged = verdict(replace(one, book=replace(one.book, snapshot=blank)))
    assert (judged.status, judged.reason) == (Status.GAP, "gap: no answer")


def visit(judged: int = 3) -> list[tuple[object, object]]:
    moments = [STEADY] * 7
    moments[judged] = moment([("d", 400), ("e", 50)])
    return moments  # type: ignore[return-value]


def test_what_came_for_the_snapshot_and_left_is_suspect_even_though_logs_explain_it() -> None:
    seen = logs(300, flow(149, "d", 300, 0), flow(151, "d", 0, 300))
    one = verdict(evidence(*visit(), judged=3, flown=[seen]))  # type: ignore[arg-type]
    assert found(one) == {"in_and_out": Status.SUSPECT, "jump": Status.OK}
    assert one.headline.usd == 50 * USD
    assert of(one, "in_and_out").usd == 300 * USD


def test_a_deposit_that_stays_is_no_visit() -> None:
    stays = [STEADY] * 3 + [moment([("d", 400), ("e", 50)])] * 4
    seen = logs(300, flow(149, "d", 300, 0))
    assert verdict(evidence(*stays, judged=3, flown=[seen])).status is Status.OK


def test_a_locker_between_two_daily_snapshots_is_seen_by_the_logs_alone() -> None:
    daily = [block(i * 7200) for i in range(3)]
    one = evidence(STEADY, moment([("d", 400), ("e", 50)]), STEADY, judged=1)
    looks = [replace(look, at=at) for look, at in zip((one.before[0], one.after[0]), (daily[0], daily[2]), strict=True)]
    snapshot = replace(one.book.snapshot, at=daily[1])
    seen = logs(14_400, flow(7195, "d", 300, 0), flow(7205, "d", 0, 300))
    aged = replace(one, book=replace(one.book, snapshot=snapshot), before=(looks[0],), after=(looks[1],), flown=(seen,))
    assert found(verdict(aged)) == {"in_and_out": Status.SUSPECT, "jump": Status.OK}


def test_a_flash_loan_within_one_block_is_told_and_changes_nothing() -> None:
    one = verdict(evidence(STEADY, STEADY, flown=[logs(50, flow(33, "d", 10_000, 10_000))]))
    assert found(one) == {"flash": Status.OK}
    assert one.status is Status.OK
    assert one.headline.usd == 150 * USD
    assert "came and left within block 33" in of(one, "flash").reason


def test_a_base_of_own_tokens_is_kept_out() -> None:
    one = verdict(evidence(moment([("g", 600), ("d", 400)]), own="g"))
    assert found(one) == {"own_token": Status.SUSPECT}
    assert one.headline.usd == 400 * USD
    assert verdict(evidence(moment([("g", 400), ("d", 600)]), own="g")).findings == ()


def test_a_token_worth_more_than_stands_against_it_is_suspect() -> None:
    thin = quote("x", 1, block(0), Grade.C, "pool")
    trading = pool(("x", 100), ("d", 100), x=thin)
    one = verdict(evidence(moment([("x", 900), ("d", 100)], x=thin), others=[trading]))
    assert found(one) == {"depth": Status.SUSPECT}
    assert one.headline.usd == 100 * USD
    assert verdict(evidence(moment([("x", 90), ("d", 100)], x=thin), others=[trading])).findings == ()


def test_the_sides_of_a_pool_must_be_worth_the_same() -> None:
    held = [("x", 1000, "pair>LP"), ("d", 10, "pair>LP")]
    one = verdict(evidence(moment(held), category="dex", adapter="uniswap_v2@1"))
    assert found(one) == {"lopsided": Status.SUSPECT}
    assert one.headline.usd == 10 * USD
    even = [("x", 50, "pair>LP"), ("d", 10, "pair>LP")]
    assert verdict(evidence(moment(even), category="dex", adapter="uniswap_v2@1")).findings == ()


def test_an_account_of_more_than_is_there_is_suspect() -> None:
    watch = book("watch", [("d", 3, "v"), ("R", 20, "v")])
    about = {"adapter": "erc4626@1", "params": {"amount": "accounting"}}
    one = verdict(evidence(moment([("d", 100, "v>S")]), others=[watch], **about))
    assert found(one) == {"unheld": Status.SUSPECT}
    assert "accounts for $100.00, $23.00 is there" in one.reason
    sound = book("watch", [("d", 3, "v"), ("R", 97, "v")])
    assert verdict(evidence(moment([("d", 100, "v>S")]), others=[sound], **about)).findings == ()
    unseen = book("watch", [("R", 20, "v")])
    assert verdict(evidence(moment([("d", 100, "v>S")]), others=[unseen], **about)).findings == ()


def test_a_receipt_held_for_more_than_is_behind_it_is_suspect_where_it_is_held() -> None:
    issuer = book("issuer", [("d", 160, "v>X")])
    one = verdict(evidence(moment([("X", 520), ("d", 10)]), others=[issuer]))
    assert found(one) == {"unbacked": Status.SUSPECT}
    assert one.headline.usd == 10 * USD
    lender = book("issuer", [("d", 160, "v>X"), ("d", 360, "debt", "borrowed")])
    assert verdict(evidence(moment([("X", 520), ("d", 10)]), others=[lender])).findings == ()


def test_rules_that_only_observe_tell_and_keep_nothing_out() -> None:
    idle = moment([("d", 100, "a>R"), ("d", 0, "debt", "borrowed")])
    one = verdict(evidence(idle))
    assert (one.status, found(one), one.headline.usd) == (Status.OK, {"idle": Status.OK}, 100 * USD)
    strict = verdict(evidence(idle), observe=[])
    assert (strict.status, strict.headline.usd) == (Status.SUSPECT, 0)


def test_a_receipt_in_one_stored_hand_is_told() -> None:
    holder = book("holder", [("R", 95, "h")])
    one = verdict(evidence(moment([("d", 100, "a>R")]), others=[holder]))
    assert of(one, "depositors").reason.endswith("95.0 %, the first three 95.0 %")


def test_a_declared_peg_is_not_good_enough_for_the_headline() -> None:
    par = quote("d", 1, block(0), Grade.D)
    one = verdict(evidence(moment([("d", 100), ("e", 5)], d=par)))
    assert one.headline.usd == 5 * USD
    assert one.headline.left_out[0].reason == "price of grade D"
    assert verdict(evidence(moment([("d", 100), ("e", 5)], d=par)), least_grade="D").headline.usd == 105 * USD


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"units_time": 3}, "no such setting"),
        ({"units_times": 0}, "units_times: expected a whole number from 1 on"),
        ({"units_times": True}, "expected a whole number"),
        ({"observe": ["nothing"]}, "observe: expected a list of rules"),
        ({"least_grade": "Z"}, "least_grade"),
        ({"own_tokens": {"p": "0x1"}}, "own_tokens: expected lists of addresses"),
        ({"own_tokens": {"p": ["0x1"]}}, "own_tokens: not an address"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(table: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        QualitySettings.parse(table, NAMES)


def test_every_rule_has_a_name_of_its_own_and_a_meaning() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.means for rule in RULES)
    assert QualitySettings().observe <= set(NAMES)


AMOUNTS = st.integers(1, 10**6)
SERIES = st.lists(st.tuples(AMOUNTS, AMOUNTS, st.integers(1, 50)), min_size=2, max_size=6)


@given(SERIES, st.integers(2, 6), st.integers(2, 6))
def test_a_looser_threshold_never_suspects_more(series: list[tuple[int, int, int]], times: int, looser: int) -> None:
    moments = [moment([("d", d), ("e", e)], e=price) for d, e, price in series]
    strict = verdict(evidence(*moments[-2:]), units_times=times, price_times=times)
    loose = verdict(evidence(*moments[-2:]), units_times=times + looser, price_times=times + looser)
    assert set(loose.tokens) <= set(strict.tokens)
    assert WORSE.index(loose.status) <= WORSE.index(strict.status)
    assert loose.headline.usd >= strict.headline.usd


@given(SERIES)
def test_units_that_the_logs_explain_are_never_suspect(series: list[tuple[int, int, int]]) -> None:
    moments = [moment([("d", d), ("e", e)]) for d, e, _ in series]
    items = [
        flow(50 * i, name, *((after - before, 0) if after > before else (0, before - after)))
        for i, (old, new) in enumerate(pairwise(series), start=1)
        for name, before, after in zip("de", old, new, strict=False)
    ]
    assert verdict(evidence(*moments, flown=[logs(50 * len(moments), *items, tokens="de")])).status is Status.OK


@given(SERIES)
def test_logs_never_make_the_verdict_on_two_snapshots_worse(series: list[tuple[int, int, int]]) -> None:
    moments = [moment([("d", d), ("e", e)], e=price) for d, e, price in series[:2]]
    (d, e, _), (later_d, later_e, _) = series[:2]
    items = [flow(50, "d", later_d, d), flow(50, "e", later_e, e)]
    blind = verdict(evidence(*moments))
    told = verdict(evidence(*moments, flown=[logs(50, *items, tokens="de")]))
    assert set(told.tokens) <= set(blind.tokens)
    assert WORSE.index(told.status) <= WORSE.index(blind.status)


@given(SERIES)
def test_a_headline_and_what_it_left_out_are_the_base(series: list[tuple[int, int, int]]) -> None:
    one = verdict(evidence(*[moment([("d", d), ("e", e)], e=price) for d, e, price in series]))
    d, e, price = series[-1]
    assert one.headline.usd + sum(part.usd or 0 for part in one.headline.left_out) == (d + e * price) * USD


PATHS = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 10**9)), min_size=1, max_size=9, unique_by=lambda p: p[0]
)


@given(PATHS)
def test_mean_and_median_lie_between_low_and_high(path: Path) -> None:
    steps = sorted(path)
    levels = [level for _, level in steps]
    mean, median = weighted_mean(steps, 0, 2000), weighted_median(steps, 0, 2000)
    assert mean is not None
    assert median is not None
    assert min(levels) <= mean <= max(levels)
    assert median in levels


def test_a_visit_of_a_minute_moves_neither_mean_nor_median_of_a_day() -> None:
    steps = [(0, 100), (43_200, 1_000_000), (43_212, 100)]
    assert weighted_median(steps, 0, 86_400) == 100
    assert weighted_mean(steps, 0, 86_400) == 100 + Fraction(999_900 * 12, 86_400)
    assert weighted_median(steps, 90_000, 90_000) is None
