from importlib.metadata import EntryPoint

import pytest

from indexer.errors import ConfigError, UnknownName
from indexer.pricing import registry
from indexer.pricing.chainlink import ChainlinkParams
from indexer.pricing.fixed import Fixed
from indexer.pricing.router import Route

FEED = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
GOOD = {"feed": FEED, "heartbeat_s": 3600, "deviation_bps": 50}


class Mine(Fixed):
    """A kind of another package."""

    kind = "mine"


@pytest.fixture
def installed(monkeypatch):
    """Entry points as another package would bring them."""

    def install(**points: str) -> None:
        found = [EntryPoint(name, value, registry.GROUP) for name, value in points.items()]
        monkeypatch.setattr("indexer.config.kinds.entry_points", lambda group: found)
        registry.oracle.cache_clear()

    yield install
    registry.oracle.cache_clear()


def test_a_table_becomes_typed_parameters_with_lower_case_addresses():
    params = registry.parse_params("chainlink", GOOD)
    assert isinstance(params, ChainlinkParams)
    assert params.feed == FEED.lower()
    assert params.in_ == "USD"


def test_every_wrong_key_of_a_table_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        registry.parse_params(
            "chainlink", {**GOOD, "feed": FEED[:-1] + "a", "heartbeat_s": 0, "colour": "red", "in": "EUR"}
        )
    text = str(caught.value)
    assert all(key in text for key in ("feed: not an address", "heartbeat_s: ", "colour: ", "in: not an address")) or (
        "wrong checksum" in text
    )


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(UnknownName, match=r"no kind 'chainlinc'; did you mean 'chainlink'\?"):
        registry.oracle("chainlinc")
    with pytest.raises(UnknownName, match=r"there are: .*chainlink, chronicle"):
        registry.oracle("zzz")


def test_a_route_without_a_kind_is_refused():
    with pytest.raises(ConfigError, match="a route needs a kind"):
        Route.parse(GOOD)


@pytest.mark.parametrize("number", [0.1, "1e3", "-1", "0", "NaN", True, None, "1" * 99])
def test_a_number_that_is_not_exact_or_not_above_zero_is_refused(number):
    with pytest.raises(ConfigError, match="price: "):
        registry.parse_params("fixed", {"price": number})


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"call": "no signature"}, "call: not a signature"),
        ({"call": "f()(address)"}, "is not an integer"),
        ({"call": "f()(uint256)", "output": 1}, "is not an integer"),
        ({"call": "f(address)(uint256)"}, "args do not fit"),
        ({"call": "f(address)(uint256)", "args": ["0x12"]}, "args do not fit"),
        ({"call": "f(uint8)(uint256)", "args": [256]}, "args do not fit"),
        ({"call": "f()(uint256)", "growth_rate": "1"}, "belong together"),
    ],
)
def test_a_rate_that_could_never_be_read_is_refused_at_load(table, word):
    with pytest.raises(ConfigError, match=word):
        registry.parse_params("rate", {"in": "USD", **table})


def test_an_oracle_of_another_package_is_found_by_its_entry_point(installed):
    installed(mine=f"{__name__}:Mine")
    assert "mine" in registry.kinds()
    assert registry.parse_params("mine", {"price": "1"}).price == 1


@pytest.mark.parametrize(
    "value", ["no.such.module:X", "indexer.pricing.fixed:Nothing", "builtins:dict", "indexer.pricing.fixed:Fixed"]
)
def test_an_oracle_that_cannot_be_loaded_is_refused_by_name(installed, value):
    installed(broken=value)
    with pytest.raises(ConfigError, match="the kind 'broken' of "):
        registry.oracle("broken")


def test_a_rates_arguments_are_encoded_by_the_types_of_its_call():
    table = {"call": "f(address,bytes4,int64,bool)(uint256)", "args": [FEED, "0xdeadbeef", -5, True], "in": "USD"}
    params = registry.parse_params("rate", table)
    (call,) = next(registry.oracle("rate").read(FEED.lower(), params, None))
    words = [call.data[4 + 32 * i : 36 + 32 * i] for i in range(4)]
    assert words[0][12:].hex() == FEED[2:].lower()
    assert words[1] == bytes.fromhex("deadbeef").ljust(32, b"\x00")
    assert (int.from_bytes(words[2], "big", signed=True), int.from_bytes(words[3], "big")) == (-5, 1)
