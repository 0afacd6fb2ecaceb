"""Real bytecode and storage of a real mainnet block are valued to the last unit."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from web3 import HTTPProvider, Web3

from devnet import Anvil
from indexer.model import Address, Bucket, Status
from indexer.run.known import Known, Taken
from indexer.run.live import open_chain
from indexer.run.program import load_program
from indexer.run.snapshot import take
from tests.e2e.support import QUIET

pytestmark = pytest.mark.anvil

FIXTURE = Path(__file__).parents[1] / "data" / "mainnet" / "15538827_post.json.gz"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
ETH_USD = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
PAIRS = ("0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc", "0x397FF1542f962076d0BFE58eA045FfA2d347ACa0")
POOLS = ("0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640", "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8")
CONFIG = f"""
[chains.recorded]
chain_id = 1
endpoints = ["{{url}}"]
native = {{{{ symbol = "ETH", decimals = 18, wrapped = "{WETH}" }}}}
every = "block"

[feeds.recorded."ETH/USD"]
address = "{ETH_USD}"
decimals = 8
heartbeat_s = 3600

[tokens.recorded.WETH]
address = "{WETH}"
routes = [{{{{ kind = "chainlink", feed = "ETH/USD" }}}}]

[[protocols]]
name = "uniswap-v2"
chain = "recorded"
kind = "uniswap_v2"
pairs = {{pairs}}

[[protocols]]
name = "uniswap-v3"
chain = "recorded"
kind = "uniswap_v3"
pools = {list(POOLS)}
"""


@pytest.fixture
def mainnet() -> Iterator[Anvil]:
    """The recorded state, and an empty block on it: anvil's genesis has no parent that a contract could see."""
    with Anvil.from_fixture(FIXTURE) as anvil:
        anvil.mine(1, 1)
        yield anvil


async def read(mainnet: Anvil, folder: Path, pairs: Sequence[str] = PAIRS) -> Taken:
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=mainnet.url, pairs=list(pairs)))
    chain = load_program(config).chains["recorded"]
    async with open_chain(chain, QUIET) as live:
        return await take(chain, live.reader, await live.head(), chain.deployments, Known())


def asked(mainnet: Anvil, target: str, name: str, outputs: list[str], *args: str) -> list[int]:
    """One call by plain web3.py."""
    fragment = {
        "type": "function",
        "name": name,
        "stateMutability": "view",
        "inputs": [{"name": "a", "type": "address"} for _ in args],
        "outputs": [{"name": str(i), "type": kind} for i, kind in enumerate(outputs)],
    }
    contract = Web3(HTTPProvider(mainnet.url)).eth.contract(address=Web3.to_checksum_address(target), abi=[fragment])
    answer = contract.functions[name](*args).call()
    return answer if isinstance(answer, list | tuple) else [answer]  # type: ignore[return-value]


def worth(mainnet: Anvil, weth: int) -> int:
    """10**-18 USD of raw WETH, by exact fractions."""
    answer = asked(mainnet, ETH_USD, "latestRoundData", ["uint80", "int256", "uint256", "uint256", "uint80"])[1]
    value = Fraction(weth, 10**18) * Fraction(answer, 10**8) * 10**18
    return value.numerator // value.denominator


async def test_a_recorded_mainnet_block_is_valued_as_its_own_view_functions_say(mainnet: Anvil, tmp_path: Path) -> None:
    taken = await read(mainnet, tmp_path)
    v2, v3 = taken.snapshots
    assert (v2.status, v3.status) == (Status.OK, Status.OK), (v2.reason, v3.reason)
    reserves = [asked(mainnet, pair, "getReserves", ["uint112", "uint112", "uint32"]) for pair in PAIRS]
    balances = [asked(mainnet, WETH, "balanceOf", ["uint256"], pool)[0] for pool in POOLS]
    assert v2.totals[Bucket.BASE].usd == sum(worth(mainnet, reserve1) for _, reserve1, _ in reserves)
    assert v3.totals[Bucket.BASE].usd == sum(worth(mainnet, balance) for balance in balances)
    assert v2.totals[Bucket.BASE].left_out == v3.totals[Bucket.BASE].left_out == 2, "USDC has no route here"


def recorded(path: Path) -> dict[str, dict[str, str]]:
    """What mainnet itself answered at the block: contract -> call -> raw bytes in hex."""
    expected: dict[str, dict[str, str]] = json.loads(gzip.decompress(path.read_bytes()))["expected"]
    return expected


def words(raw: str) -> list[int]:
    return [int(raw[i : i + 64], 16) for i in range(2, len(raw), 64)]


@pytest.mark.parametrize("block", [15050000, 15538827, 21230867])
async def test_every_recorded_pair_of_a_block_is_valued_by_what_mainnet_answered(block: int, tmp_path: Path) -> None:
    path = FIXTURE.with_name(f"{block}_post.json.gz")
    said = recorded(path)
    pairs = [a for a, calls in said.items() if {"getReserves()", "token0()", "token1()"} <= calls.keys()]
    tokens = {pair: [f"0x{said[pair][name][-40:]}" for name in ("token0()", "token1()")] for pair in pairs}
    weth = sum(
        reserve
        for pair in pairs
        for token, reserve in zip(tokens[pair], words(said[pair]["getReserves()"]), strict=False)
        if token == WETH.lower()
    )
    answer = words(said[ETH_USD.lower()]["latestRoundData()"])[1]
    with Anvil.from_fixture(path) as anvil:
        anvil.mine(1, 1)
        taken = await read(anvil, tmp_path, pairs)
    snapshot = taken.snapshots[0]
    assert snapshot.status is Status.OK, snapshot.reason
    lines = [line for line in snapshot.lines if line.holding.token == WETH.lower()]
    assert sum(line.holding.amount or 0 for line in lines) == weth
    assert snapshot.quotes[Address(WETH.lower())].price == answer * 10**28
    assert snapshot.totals[Bucket.BASE].usd == sum(
        (line.holding.amount or 0) * answer * 10**18 // 10**26 for line in lines
    )


async def test_the_amounts_are_those_recorded_of_mainnet(mainnet: Anvil, tmp_path: Path) -> None:
    taken = await read(mainnet, tmp_path)
    amounts = {
        (line.holding.owner, line.holding.token): line.holding.amount for s in taken.snapshots for line in s.lines
    }
    assert amounts[PAIRS[0].lower(), USDC.lower()] == 45249891657326  # type: ignore[index]
    assert amounts[PAIRS[0].lower(), WETH.lower()] == 28473559719026319549318  # type: ignore[index]
    assert amounts[POOLS[0].lower(), USDC.lower()] == 45364245632559  # type: ignore[index]
    assert amounts[POOLS[0].lower(), WETH.lower()] == 34666574186649135824882  # type: ignore[index]
    assert taken.snapshots[0].quotes[WETH.lower()].steps[0].answer == 158811178966  # type: ignore[index]
