"""Kinds by name, ours and of other packages, and the problems of their parameters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.adapters.registry import ParamErrors, adapter, kinds, parse_params
from indexer.errors import ConfigError, UnknownName

THIRD_PARTY = '''
from indexer.adapters.base import Adapter, Params
from indexer.model import Holding

class Fine(Adapter[Params]):
    """A kind of another package."""
    kind = "fine"
    counts = "One token."
    params = Params
    def read(self, params, found, at):
        yield []
        return []
'''


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "their_kinds.py").write_text(THIRD_PARTY)
    info = tmp_path / "their_kinds-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-kinds\nVersion: 1.0\n")
    points = {"fine": "their_kinds:Fine", "renamed": "their_kinds:Fine", "broken": "their_kinds:Gone"}
    points |= {"erc4626": "their_kinds:Fine", "no_adapter": "pathlib:Path"}
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[indexer.adapters]\n{lines}")
    monkeypatch.syspath_prepend(tmp_path)
    adapter.cache_clear()
    yield
    adapter.cache_clear()


@pytest.mark.usefixtures("other_package")
def test_another_package_adds_a_kind_by_an_entry_point() -> None:
    assert "fine" in kinds()
    assert adapter("fine").kind == "fine"


@pytest.mark.usefixtures("other_package")
@pytest.mark.parametrize("name", ["renamed", "broken", "no_adapter"])
def test_an_entry_point_that_is_no_such_adapter_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        adapter(name)


@pytest.mark.usefixtures("other_package")
def test_no_package_can_take_the_name_of_one_of_ours() -> None:
    assert type(adapter("erc4626")).__module__ == "indexer.adapters.erc4626"
    assert kinds().count("erc4626") == 1


def test_an_adapter_is_made_once() -> None:
    assert adapter("uniswap_v2") is adapter("uniswap_v2")


def test_a_kind_is_imported_when_it_is_first_asked_for() -> None:
    code = (
        "import sys, indexer.adapters.registry; print([m for m in sys.modules if m.endswith(('_v2', '_v3', '4626'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(("name", "near"), [("uniswap_v22", "uniswap_v2"), ("erc_4626", "erc4626")])
def test_an_unknown_kind_names_the_one_that_was_probably_meant(name: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{near}'"):
        adapter(name)


def test_a_kind_like_no_other_lists_what_there_is() -> None:
    with pytest.raises(UnknownName, match="token_balances"):
        adapter("\x1b[31m?")


def problems(kind: str, values: dict[str, object]) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(ParamErrors) as caught:
        parse_params(kind, values)
    return dict(caught.value.problems)


def test_every_problem_is_told_at_once_and_where_it_stands() -> None:
    told = problems("token_balances", {"owners": ["0x12", 3], "token": [], "bucket": "vault"})
    assert told == {
        ("owners", 0): "not an address: expected 0x and 40 hex digits",
        ("owners", 1): "expected text",
        ("token",): "unknown key; did you mean 'tokens'?",
        ("bucket",): "expected 'base', 'borrowed', 'staking', 'pool2', 'vesting', 'treasury' or 'own'",
    }


def test_a_wrong_checksum_is_a_problem_and_the_right_one_is_told() -> None:
    wrong = "0xC02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
    told = problems("erc4626", {"vaults": [wrong]})
    assert "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2" in told["vaults", 0]


@pytest.mark.parametrize("kind", ["uniswap_v2", "uniswap_v3", "aave_v3"])
def test_of_two_ways_to_name_the_contracts_exactly_one_is_given(kind: str) -> None:
    ways = ", ".join([*GIVEN[kind], *BOTH[kind]])
    assert problems(kind, {}) == {(): f"give exactly one of: {ways}"}
    assert () in problems(kind, {**GIVEN[kind], **BOTH[kind]})


SOME = "0x" + "11" * 20
GIVEN: dict[str, dict[str, object]] = {
    "uniswap_v2": {"factory": SOME},
    "uniswap_v3": {"factory": SOME},
    "aave_v3": {"pool": SOME},
}
BOTH: dict[str, dict[str, object]] = {
    "uniswap_v2": {"pairs": [SOME]},
    "uniswap_v3": {"pools": [SOME]},
    "aave_v3": {"data_provider": SOME},
}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "is needed"),
        ({"vaults": []}, "expected at least one"),
        ({"vaults": [SOME, "0x" + "11" * 20]}, f"listed twice: {SOME}"),
        ({"vaults": SOME}, "expected a list"),
    ],
)
def test_a_list_of_addresses_is_a_list_in_which_each_stands_once(values: dict[str, object], sentence: str) -> None:
    assert problems("erc4626", values) == {("vaults",): sentence}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "give either owners and tokens, or pairs of them"),
        (
            {"owners": [SOME], "tokens": [SOME], "pairs": [[SOME, SOME]]},
            "give either owners and tokens, or pairs of them",
        ),
        ({"owners": [SOME]}, "there is no owner to ask, or no token to ask for"),
        ({"tokens": [SOME]}, "there is no owner to ask, or no token to ask for"),
        ({"owners": [SOME], "tokens": [SOME], "exclude": [SOME]}, "there is no owner to ask, or no token to ask for"),
        ({"pairs": [[SOME, SOME], [SOME, SOME]]}, "a pair is listed twice"),
    ],
)
def test_balances_are_asked_of_somebody_for_something(values: dict[str, object], sentence: str) -> None:
    assert problems("token_balances", values) == {(): sentence}


def test_a_balance_cannot_be_borrowed() -> None:
    told = problems("token_balances", {"owners": [SOME], "tokens": [SOME], "bucket": "borrowed"})
    assert told == {("bucket",): "a balance is held, not owed: use another bucket"}
