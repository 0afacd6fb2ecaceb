"""What every oracle must keep, ours and any that is added: one suite, one row of examples a kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import CallFailed, ConfigError
from indexer.model import Address, BlockRef, Grade, Hash, Quote, Status, Step
from indexer.pricing import registry
from indexer.pricing.base import Oracle, OracleParams, Reading
from indexer.pricing.guards import GuardSettings, judge
from indexer.reads.plan import Answer, Ask, Call, Elsewhere, Failed, Lent
from indexer.testing import Contracts, Table, drive

NOW = 1_700_000_000
AT = BlockRef(18_570_000, Hash("0x" + "11" * 32), Hash("0x" + "22" * 32), NOW)
TOKEN, OTHER, SOURCE, INNER = (Address(f"0x{n:040x}") for n in range(1, 5))
FEED_ID = "0x" + "ab" * 32
UNIT = 10**18
ERC20 = {"decimals": 18}
GROWTH = {"growth_rate": "1", "growth_since": "2020-01-01T00:00:00Z", "growth_yearly_bps": 5_000}
TWAP = {"pool": SOURCE, "in": OTHER, "min_depth": "1"}
PAIR = {"token0": OTHER, "token1": INNER, "getReserves": (UNIT, 4 * UNIT, 0), "totalSupply": 2 * UNIT}
VAULT = {
    "asset": OTHER,
    "decimals": 18,
    "totalSupply": 9 * UNIT,
    "convertToAssets": lambda call: 2 * int.from_bytes(call.data[4:]),
}
POOL = {
    "token0": TOKEN,
    "token1": OTHER,
    "slot0": (1, 0, 0, 9),
    "observe": ((0, 0), (0, (1800 << 128) // 10**24)),
}

EXAMPLES: dict[str, tuple[dict[str, Any], Table, Fraction]] = {
    # kind: parameters, contracts that answer well, and what the token is then worth at 3 for every other token
    "aave_oracle": (
        {"oracle": SOURCE},
        {SOURCE: {"getAssetPrice": 7 * 10**8, "BASE_CURRENCY_UNIT": 10**8}},
        Fraction(7),
    ),
    "chainlink": (
        {"feed": SOURCE, "heartbeat_s": 60, "deviation_bps": 50, "pair": "A / B", "read_bounds": True, "in": OTHER},
        {
            SOURCE: {"latestRoundData": (5, 2 * 10**8, NOW, NOW, 5), "decimals": 8, "description": "A / B"}
            | {"aggregator": INNER},
            INNER: {"minAnswer": 1, "maxAnswer": 10**20},
        },
        Fraction(6),
    ),
    "api3": (
        {"proxy": SOURCE, "heartbeat_s": 86_400, "deviation_bps": 25},
        {SOURCE: {"read": (8 * UNIT, NOW)}},
        Fraction(8),
    ),
    "balancer_weighted": (
        {},
        {
            TOKEN: {
                "getPoolId": bytes(32),
                "getVault": SOURCE,
                "getNormalizedWeights": (8 * UNIT // 10, 2 * UNIT // 10),
            }
            | {"getActualSupply": 10 * UNIT},
            SOURCE: {"getPoolTokens": ((OTHER, INNER), (80 * UNIT, 20 * UNIT), 0)},
            **{OTHER: ERC20, INNER: ERC20},
        },
        Fraction(30),
    ),
    "chronicle": (
        {"oracle": SOURCE, "heartbeat_s": 86_400, "deviation_bps": 25, "in": OTHER},
        {SOURCE: {"readWithAge": (UNIT // 2, NOW)}},
        Fraction(3, 2),
    ),
    "curve_lp": (
        {"pool": SOURCE, "coins": 2, **GROWTH},
        {
            SOURCE: {"get_virtual_price": 11 * UNIT // 10, "coins": lambda call: OTHER if call.data[-1] else INNER},
            TOKEN: {"totalSupply": UNIT},
        },
        Fraction(33, 10),
    ),
    "erc4626": (GROWTH, {TOKEN: VAULT, OTHER: ERC20}, Fraction(6)),
    "fixed": ({"price": "1.5", "in": OTHER}, {}, Fraction(9, 2)),
    "pyth": (
        {"contract": SOURCE, "feed_id": FEED_ID, "heartbeat_s": 60},
        {SOURCE: {"getPriceUnsafe": (5 * 10**8, 10**5, -8, NOW)}},
        Fraction(5),
    ),
    "rate": (
        {"call": "rates(address,uint256)(bool,int256)", "args": [OTHER, 7], "output": 1, "in": OTHER, **GROWTH},
        {TOKEN: {"rates": (True, 2 * UNIT)}},
        Fraction(6),
    ),
    "remote": ({"chain": "other", "token": INNER}, {}, Fraction(4)),
    "solidly_lp": (
        {},
        {TOKEN: {**PAIR, "stable": True, "getReserves": (5 * UNIT, 5 * UNIT)}, OTHER: ERC20, INNER: ERC20},
        Fraction(15),
    ),
    "uniswap_v2_lp": ({}, {TOKEN: PAIR, OTHER: ERC20, INNER: ERC20}, Fraction(6)),
    "uniswap_v3_twap": (TWAP, {SOURCE: POOL, TOKEN: ERC20, OTHER: ERC20}, Fraction(3)),
    "wrapped": ({"in": OTHER, "call": "asset()(address)"}, {TOKEN: {"asset": OTHER}}, Fraction(3)),
}
LENT = Lent(Quote(INNER, 4 * 10**36, 3 * 10**36, 5 * 10**36, Grade.A, "chainlink:I/USD"), AT)
KINDS = sorted(EXAMPLES)


def made(kind: str) -> tuple[Oracle[Any], OracleParams, Contracts, Fraction]:
    params, contracts, worth = EXAMPLES[kind]
    return (
        registry.oracle(kind),
        registry.parse_params(kind, params),
        Contracts(contracts, {("other", INNER): LENT}),
        worth,
    )


def read(kind: str, answer: Callable[[Ask], Answer] | None = None) -> Reading:
    oracle, params, contracts, _ = made(kind)
    return drive(oracle.read(TOKEN, params, AT), answer or contracts)


def threes(reading: Reading) -> list[Fraction]:
    return [Fraction(3)] * len(reading.of)


def test_every_registered_kind_is_held_to_this_suite():
    assert set(registry.kinds()) == set(EXAMPLES)


@pytest.mark.parametrize("kind", KINDS)
def test_good_answers_give_the_right_price_and_no_guard_objects(kind):
    reading, worth = read(kind), made(kind)[3]
    assert reading.combine(threes(reading)) == worth
    assert judge(reading.checks, AT, GuardSettings()) == ((), ())
    assert reading.problems == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_reading_names_its_source_and_carries_its_evidence(kind):
    oracle, params, _, _ = made(kind)
    reading = read(kind)
    assert oracle.kind == kind
    assert reading.label == oracle.label(params)
    assert reading.label.startswith(kind)
    assert reading.grade is not Grade.U
    assert oracle.last_resort or reading.steps
    assert all(step.source.startswith(kind) and 0 < step.time(AT) <= NOW for step in reading.steps)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_declared_to_be_needed_is_what_is_needed(kind):
    params, reading = made(kind)[1], read(kind)
    assert set(params.of) <= set(reading.of)


@pytest.mark.parametrize("kind", KINDS)
def test_no_question_is_asked_twice(kind):
    oracle, params, contracts, _ = made(kind)
    drive(oracle.read(TOKEN, params, AT), contracts)
    assert len(contracts.asked) == len(set(contracts.asked))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_answers_read_the_same_at_any_time(kind):
    first, second = (replace(read(kind), combine=float) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fixed"])  # which asks nothing
@pytest.mark.parametrize("failure", [Failed(Status.MISSING, "no code"), Failed(Status.HELD, "execution reverted")])
def test_a_source_that_does_not_answer_fails_with_its_status_and_reason(kind, failure):
    with pytest.raises(CallFailed) as caught:
        read(kind, lambda _: failure)
    assert (caught.value.message, caught.value.context["status"]) == (failure.reason, failure.status)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_parameter_is_refused_by_name(kind):
    params, _, _ = EXAMPLES[kind]
    with pytest.raises(ConfigError, match="no_such_key"):
        registry.parse_params(kind, {**params, "no_such_key": 1})


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_described(kind):
    fields = made(kind)[1].__class__.model_fields
    assert all(field.description for field in fields.values())


def values_of(kind: str) -> st.SearchStrategy[Any]:
    """Any value that an ABI type can decode to."""
    if kind.endswith("[]"):
        return st.lists(values_of(kind[:-2]), max_size=3).map(tuple)
    if match := re.fullmatch(r"(u?)int(\d*)", kind):
        bits = int(match[2] or 256) - (not match[1])
        edges = st.sampled_from([0, 1, 2**bits - 1, 10**8, UNIT, NOW])
        low = 0 if match[1] else -(2**bits)
        return (edges | st.integers(low, 2**bits - 1)).map(lambda value: min(value, 2**bits - 1))
    return {
        "address": st.sampled_from([TOKEN, OTHER, SOURCE, INNER]),
        "bool": st.booleans(),
        "string": st.text(max_size=40),
        "bytes32": st.just(bytes(32)),
    }[kind]


@st.composite
def lent(draw: st.DrawFn, token: Address) -> Lent:
    """Any quote that another chain can give, at any block."""
    low, price, high = sorted(draw(st.tuples(*[st.integers(1, 2**256 - 1)] * 3)))
    held = draw(st.booleans())
    numbers = (None, None, None) if held else (price, low, high)
    step = Step("chainlink", SOURCE, draw(st.integers(1, 2**255)), 8, draw(st.integers(1, NOW)), 7)
    status = Status.HELD if held else Status.OK
    quote = Quote(token, *numbers, draw(st.sampled_from(list(Grade))), "r", (step,), status, "stale")
    return Lent(quote, replace(AT, timestamp=draw(st.integers(0, NOW))))


def answers(data: st.DataObject) -> Callable[[Ask], Answer]:
    known: dict[Ask, Answer] = {}

    def answer(ask: Ask) -> Answer:
        if isinstance(ask, Elsewhere):
            return data.draw(lent(ask.token), label="lent")
        assert isinstance(ask, Call)
        if ask not in known:
            outputs = [values_of(kind) for kind in ask.function.outputs]
            shaped = outputs[0] if len(outputs) == 1 else st.tuples(*outputs)
            fails = data.draw(st.integers(0, 19)) == 0
            known[ask] = Failed(Status.MALFORMED, "dirty") if fails else data.draw(shaped, label=str(ask))
        return known[ask]

    return answer


prices = st.fractions(min_value=Fraction(1, 10**30), max_value=10**12, max_denominator=10**30)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_answers_of_the_right_shape_never_raise_anything_but_a_failed_call(kind, data):
    try:
        reading = read(kind, answers(data))
    except CallFailed:
        return
    problems, flags = judge(reading.checks, AT, GuardSettings())
    assert all(len(text) < 400 for text in (*problems, *flags))
    assert reading.tolerance >= 0
    values = [data.draw(prices) for _ in reading.of]
    low, high = reading.combine(values), reading.combine([2 * value for value in values])
    if not problems:
        assert 0 <= low <= high
