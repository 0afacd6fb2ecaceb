"""What `tvl price` shows of a settled token, and which token a name means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.cli.lastgood import LastGood, from_feed
from indexer.cli.price_page import Asked, echo_price, echo_price_json, outcome
from indexer.cli.tokens import meant_by, symbols_of
from indexer.errors import UnknownName
from indexer.model import Address
from indexer.run.program import Program, load_program
from indexer.testing import Contracts, Table, drive
from indexer.units import PRICE_DECIMALS
from tests.unit.cli.filled import write_config
from tests.unit.pricing.price_worlds import AT, NOW, chainlink, feed, router

GOLD, OTHER, FEED, SECOND = (Address("0x" + digit * 40) for digit in "5678")
CONFIG = f"""
[chains.one]
chain_id = 901
native = {{ symbol = "ONE" }}
endpoints = ["http://127.0.0.1:9/"]
[chains.two]
chain_id = 902
native = {{ symbol = "TWO" }}
endpoints = ["http://127.0.0.1:9/"]
[tokens.one.GOLD]
address = "{GOLD}"
routes = [ {{ kind = "fixed", price = "1" }} ]
[tokens.one.GOLDEN]
address = "{OTHER}"
routes = [ {{ kind = "fixed", price = "2" }} ]
[tokens.one.LEAD]
address = "{FEED}"
[tokens.two.gold]
address = "{GOLD}"
routes = [ {{ kind = "fixed", price = "3" }} ]
[tokens.two.Silver]
address = "{OTHER}"
routes = [ {{ kind = "fixed", price = "4" }} ]
[tokens.two.silver]
address = "{FEED}"
routes = [ {{ kind = "fixed", price = "5" }} ]
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return load_program(write_config(tmp_path, CONFIG))


def asked(program: Program, routes: list[dict[str, Any]], world: Table, last: LastGood | None = None) -> Asked:
    meant = meant_by(program, "GOLD", "one")
    settled = drive(router({GOLD: routes}).explain([GOLD], AT), Contracts(world))
    return Asked(meant, AT, settled, symbols_of(program, meant.chain), {GOLD: last} if last else {})


@pytest.mark.parametrize(
    ("name", "chain", "found"),
    [
        ("GOLD", None, ("one", "GOLD")),  # as it is written, before other letters
        ("GOLD", "two", ("two", "gold")),
        ("golden", None, ("one", "GOLDEN")),
        (GOLD, "two", ("two", "gold")),
        (GOLD.upper().replace("X", "x"), "one", ("one", "GOLD")),
    ],
)
def test_a_name_means_one_token_of_one_chain(program: Program, name: str, chain: str | None, found: object) -> None:
    meant = meant_by(program, name, chain)
    assert (meant.chain.name, meant.symbol) == found


@pytest.mark.parametrize(
    ("name", "chain", "said"),
    [
        ("Gold", None, "Gold is more than one token: GOLD on one (0x5"),
        (GOLD, None, "is more than one token: GOLD on one"),
        ("SILVER", None, "SILVER is more than one token: Silver on two (0x6"),
        ("GULD", "one", "no token 'GULD' with a price on one; near it: GOLD on one (0x5"),
        ("olde", "one", "near it: GOLDEN on one (0x6"),
        ("LEAD", "one", "no token 'LEAD' with a price on one"),
        ("zzz\x1b[2J", None, "no token 'zzz [2J' with a price in the configuration"),
        ("0x12", None, "0x12: not an address"),
        ("GOLD", "tvo", "no chain 'tvo' in the configuration; did you mean 'two'?"),
        ("GOLD", "ethereum", "there are: one, two"),
    ],
)
def test_what_means_none_or_several_is_refused_with_near_matches(
    program: Program, name: str, chain: str | None, said: str
) -> None:
    with pytest.raises(UnknownName) as error:
        meant_by(program, name, chain)
    assert said in str(error.value)


ROUTES = [
    chainlink(Address("0x" + "de" * 20), name="gone"),
    chainlink(FEED, name="first"),
    chainlink(SECOND, name="second"),
    {"kind": "fixed", "price": "1999"},
]
WORLD = {FEED: feed(2_000_00000000), SECOND: feed(2_010_00000000)}


def test_every_route_is_told_with_what_became_of_it_and_why(program: Program, capsys: Any) -> None:
    one = asked(program, ROUTES, WORLD)
    told = [outcome(one.settled[GOLD], i) for i in range(4)]
    assert [word for word, _ in told] == ["absent", "taken", "witness", "not used"]
    assert told[2][1] == "0.5 % apart from the one taken"
    echo_price(one, explain=True)
    page = capsys.readouterr().out
    assert "price   $2,000  ($1,990 to $2,010)" in page
    assert "flag    fallback: chainlink:gone: no code" in page
    assert f"chainlink {FEED} answered 200000000000 = 2000, updated" in page
    assert "(1m before the block), round 18446744073709551623" in page


def test_a_price_apart_from_its_witness_is_held_and_both_are_shown(program: Program, capsys: Any) -> None:
    one = asked(program, ROUTES[1:3], WORLD | {SECOND: feed(20_00000000)})
    assert outcome(one.settled[GOLD], 0)[0] == "held"
    assert outcome(one.settled[GOLD], 1) == ("witness", "9900 % apart from the one taken")
    echo_price(one, explain=False)
    page = capsys.readouterr().out
    assert "price   held: divergence: 9900 % apart from chainlink:second" in page
    assert "no last good price is known" in page
    assert "Routes of" not in page


def test_a_held_price_has_its_last_good_value_and_its_age_beside_it(program: Program, capsys: Any) -> None:
    last = LastGood(1_234 * 10**PRICE_DECIMALS, NOW - 3_660, "stored at block 17")
    one = asked(program, ROUTES[1:2], {FEED: feed(0)}, last)
    echo_price(one, explain=False)
    assert "last good $1,234, 1h 1m old (2023-11-14T21:12:20Z, stored at block 17)" in capsys.readouterr().out
    echo_price_json(one)
    told = json.loads(capsys.readouterr().out)
    assert told["quote"]["usd"] is None
    assert told["last_good"] == {
        "usd": "1234",
        "updated_at": NOW - 3_660,
        "age_s": 3_660,
        "source": "stored at block 17",
    }
    assert told["tokens"][0]["routes"][0]["outcome"] == "refused"
    assert told["tokens"][0]["routes"][0]["usd"] is None


def test_a_feeds_earlier_round_is_named_by_its_route_and_round(program: Program) -> None:
    def round_data(call: Any) -> tuple[int, ...]:
        number = int.from_bytes(call.data[4:], "big")
        return (number, 2_000_00000000 + number % 2**64, NOW - 4_000, NOW - 4_000, number)

    world = {FEED: feed(0, getRoundData=round_data)}
    world[FEED]["getRoundData"] = lambda call: round_data(call) if call.data[-1] != 7 else (1, 0, NOW, NOW, 1)
    ways = router({GOLD: [chainlink(FEED, name="first")]})
    settled = drive(ways.explain([GOLD], AT), Contracts(world))[GOLD]
    found = drive(ways.last_good(settled, AT), Contracts(world))
    assert found is not None
    assert from_feed(found) == LastGood(
        200_000_000_006 * 10 ** (PRICE_DECIMALS - 8), NOW - 4_000, f"chainlink:first round {(1 << 64) + 6}"
    )
