"""Hostile and changing contracts, through the whole daemon: F39 to F50.

Each stands on the chain as bare code. What it does is told in its own line, with the right status; everything beside it
is, to the byte, what it is without it. F45 and F46 in every variant are in `tests/unit/reads/test_abi.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count

import pytest
from aiohttp import web
from eth_abi.abi import encode
from eth_hash.auto import keccak

from devnet import faults
from indexer.model import Line, Snapshot, Status
from tests.e2e.faults.trial import Trial, World, prepared, running

pytestmark = pytest.mark.anvil

HOLDER = "0x00000000000000000000000000000000000A11ce".lower()
PLACES = count(0xBAD0001)
LOOP = "5b600056"
RETURN_MEGABYTE = "621000006000f3"
REVERT_MEGABYTE = "621000006000fd"
UINT256_MAX = 2**256 - 1
TKN = encode(["string"], ["TKN"])
ODD = '[[protocols]]\nname = "odd"\nchain = "devnet"'


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def answering(answers: Mapping[str, bytes], otherwise: str = "60006000fd") -> str:
    """Code of a contract that answers each function with fixed bytes, and does something else with all others."""
    table, bodies = "", ""
    entries = [(keccak(function.encode())[:4].hex(), data) for function, data in answers.items()]
    start = 6 + 11 * len(entries) + len(otherwise) // 2
    for selector, data in entries:
        table += f"8063{selector}1461{start + len(bodies) // 2:04x}57"
        bodies += "5b" + _returning(data)
    return "0x60003560e01c" + table + otherwise + bodies


def _returning(data: bytes) -> str:
    padded = data + bytes(-len(data) % 32)
    stores = "".join(f"7f{padded[i : i + 32].hex()}61{i:04x}52" for i in range(0, len(padded), 32))
    return f"{stores}61{len(data):04x}6000f3"


def token(balance: int | bytes = 10**18, decimals: bytes = word(18), symbol: bytes = TKN) -> str:
    """Code of a token whose holder has so much."""
    data = word(balance) if isinstance(balance, int) else balance
    return answering({"balanceOf(address)": data, "decimals()": decimals, "symbol()": symbol})


def place(world: World, code: str) -> str:
    """Put code at an address of its own; it stands from the next block on."""
    address = f"0x{next(PLACES):040x}"
    world.net.rpc("anvil_setCode", address, code)
    return address


def entry(*tokens: str) -> str:
    """A deployment of what the holder has of these tokens."""
    listed = ", ".join(f'"{address}"' for address in tokens)
    return "\n".join([ODD, 'kind = "token_balances"', f'owners = ["{HOLDER}"]', f"tokens = [{listed}]", ""])


@asynccontextmanager
async def reading(world: World, *tokens: str, more: str = "") -> AsyncIterator[Trial]:
    """The daemon at the head, with a deployment of odd tokens beside the others."""
    async with (
        prepared(world, change=lambda text: f"{text}\n{entry(*tokens)}", more=more) as trial,
        running(trial),
    ):
        await trial.arrived()
        await trial.trade()
        await trial.arrived()
        yield trial


async def odd(trial: Trial) -> tuple[Snapshot, dict[str, Line]]:
    """What is stored of the odd tokens, by token."""
    snapshot = await trial.store.snapshot("odd@devnet")
    assert snapshot is not None
    return snapshot, {line.holding.token: line for line in snapshot.lines}


async def others_unharmed(trial: Trial) -> None:
    """Every other deployment says what it says where the odd tokens are not read at all."""
    last = trial.net.block_number()
    clean = await trial.clean(range(trial.first, last + 1), lambda text: trial.change(text).split(ODD)[0])
    for key, digest in clean.items():
        assert await trial.store.digest(key, trial.first, last) == digest, key
    assert await trial.store.verify() == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (f"0x{LOOP}", Status.HELD),
        (f"0x{RETURN_MEGABYTE}", Status.MALFORMED),
        (f"0x{REVERT_MEGABYTE}", Status.HELD),
        ("0x", Status.MISSING),
        (token(balance=b""), Status.MALFORMED),
        (token(balance=b"\x01"), Status.MALFORMED),
        ("0x63556f183060e01b60005260046000fd", Status.HELD),
    ],
    ids=[
        "F39 a gas bomb",
        "F40 a return bomb",
        "F40 a revert bomb",
        "F41 no code at the address",
        "F45 an empty answer",
        "F45 a short answer",
        "F48 a bare OffchainLookup",
    ],
)
async def test_a_contract_that_misbehaves_is_told_in_its_own_line_and_harms_no_other(
    code: str, status: Status, world: World
) -> None:
    bad, good = place(world, code), place(world, token(7))
    async with reading(world, bad, good) as trial:
        _, lines = await odd(trial)
        assert lines[bad].holding.status is status
        assert lines[bad].holding.amount is None
        assert lines[bad].usd is None
        assert 0 < len(lines[bad].holding.reason.encode()) <= 512
        assert lines[good].holding.amount == 7
        await others_unharmed(trial)


@pytest.mark.parametrize(
    "decimals",
    [word(255), word(78), word(256), word(UINT256_MAX), b"", word(18)[:31]],
    ids=["255", "78", "256", "a dirty word", "nothing", "a short word"],
)
async def test_decimals_that_cannot_be_leave_the_amount_without_a_value(decimals: bytes, world: World) -> None:
    bad = place(world, token(10**30, decimals=decimals))
    async with reading(world, bad) as trial:
        snapshot, lines = await odd(trial)
        assert lines[bad].holding.amount == 10**30
        assert lines[bad].usd is None
        assert snapshot.totals == {} or all(total.usd == 0 for total in snapshot.totals.values())
        await others_unharmed(trial)


@pytest.mark.parametrize(
    "symbol",
    [
        b"MKR".ljust(32, b"\0"),
        b"",
        encode(["string"], ["<script>alert(1)</script>"]),
        encode(["string"], ["a\0b\u202ec"]),
        encode(["bytes"], [b"\xff\xfe\x00"]),
        encode(["string"], ["A" * 20_000]),
        word(2**200) + word(2**200),
    ],
    ids=["bytes32", "nothing", "a script", "NUL and bidi", "no UTF-8", "20,000 letters", "an offset beyond all"],
)
async def test_a_symbol_of_any_bytes_is_stored_safely(symbol: bytes, world: World) -> None:
    bad = place(world, token(5, symbol=symbol))
    async with reading(world, bad) as trial:
        snapshot, lines = await odd(trial)
        assert lines[bad].holding.amount == 5
        stored = snapshot.tokens[lines[bad].holding.token].symbol
        assert len(stored) <= 32
        assert stored.isprintable()
        await others_unharmed(trial)


async def test_the_largest_amount_there_is_is_held_and_one_that_can_be_is_kept_to_the_unit(world: World) -> None:
    huge, large = place(world, token(UINT256_MAX)), place(world, token(2**200 + 1))
    async with reading(world, huge, large) as trial:
        _, lines = await odd(trial)
        assert (lines[huge].holding.status, lines[huge].holding.amount) == (Status.HELD, None)
        assert str(UINT256_MAX) in lines[huge].holding.reason
        assert lines[large].holding.amount == 2**200 + 1
        await others_unharmed(trial)


async def test_a_contract_that_is_not_deployed_yet_or_destroyed_is_missing_then_and_never_zero(world: World) -> None:
    address = place(world, "0x")
    async with reading(world, address) as trial:
        seen = {trial.net.block_number(): Status.MISSING}
        for code, status in ((token(9), Status.OK), ("0x", Status.MISSING)):
            await trial.quietly(lambda code=code: _become(world, address, code))
            await trial.arrived()
            seen[trial.net.block_number()] = status
        for number, status in seen.items():
            snapshot = await trial.store.snapshot("odd@devnet", number)
            assert snapshot is not None
            assert [(line.holding.status, line.holding.amount) for line in snapshot.lines] == [
                (status, 9 if status is Status.OK else None)
            ]


def _become(world: World, address: str, code: str) -> None:
    """From the next block on, an address has another code."""
    world.net.rpc("anvil_setCode", address, code)
    world.net.mine()


async def test_a_proxy_upgraded_to_another_abi_is_held_from_then_on_and_not_zero(world: World) -> None:
    address = place(world, token(9))
    async with reading(world, address) as trial:
        before = trial.net.block_number()
        await trial.quietly(lambda: _become(world, address, answering({"decimals()": word(18)})))
        await trial.arrived()
        old, new = await trial.store.snapshot("odd@devnet", before), await trial.store.snapshot("odd@devnet")
        assert old is not None
        assert new is not None
        assert old.lines[0].holding.amount == 9
        (line,) = new.lines
        assert (line.holding.amount, line.holding.status, line.usd) == (None, Status.HELD, None)
        assert "revert" in line.reason
        assert new.totals[line.holding.bucket].left_out == 1


async def test_an_offchain_lookup_makes_no_request_to_where_the_contract_points(world: World) -> None:
    hits: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        hits.append(request.path)
        return web.json_response({"data": "0x" + word(1).hex()})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/{{sender}}/{{data}}"
    bad = place(world, answering({"decimals()": word(18)}, otherwise=_lookup(url)))
    async with reading(world, bad) as trial:
        _, lines = await odd(trial)
        assert lines[bad].holding.status is Status.HELD
        assert lines[bad].holding.amount is None
    await runner.cleanup()
    assert hits == []


def _lookup(url: str) -> str:
    """Revert with OffchainLookup (EIP-3668): sender, URLs, call data, callback, extra data."""
    kinds = ["address", "string[]", "bytes", "bytes4", "bytes"]
    data = bytes.fromhex("556f1830") + encode(kinds, [f"0x{'0' * 40}", [url], b"", b"\1\2\3\4", b""])
    return _returning(data)[:-2] + "fd"


async def test_a_vault_that_changes_its_asset_gets_a_new_line_and_carries_nothing_over(world: World) -> None:
    assets = [place(world, token(0)), place(world, token(0))]
    vault = place(world, _vault(assets[0], 5))
    protocol = "\n".join([ODD, 'kind = "erc4626"', f'vaults = ["{vault}"]', ""])
    async with prepared(world, change=lambda text: f"{text}\n{protocol}") as trial, running(trial):
        await trial.trade()
        await trial.arrived()
        _, before = await odd(trial)
        await trial.quietly(lambda: _become(world, vault, _vault(assets[1], 6)))
        await trial.arrived()
        _, after = await odd(trial)
        assert {token: line.holding.amount for token, line in before.items()} == {assets[0]: 5}
        assert {token: line.holding.amount for token, line in after.items()} == {assets[1]: 6}


def _vault(asset: str, total: int) -> str:
    """Code of an ERC-4626 vault of one asset."""
    symbol = encode(["string"], ["vTKN"])
    numbers = {"asset()": int(asset, 16), "totalAssets()": total, "decimals()": 18, "totalSupply()": 0}
    return answering({**{name: word(number) for name, number in numbers.items()}, "symbol()": symbol})


# F46: what a provider may send in the place of a multicall's answer


def _aliased(items: int) -> str:
    """`(bool,bytes)[]` whose elements all point to the same tuple: 256 KB that would decode to half a gigabyte."""
    head = word(32) + word(items) + word(items * 32) * items
    return "0x" + (head + word(1) + word(64) + word(131_072) + bytes(131_072)).hex()


@pytest.mark.parametrize(
    "answer",
    [_aliased(4_000), "0x" + (word(32) + word(2**64)).hex(), "0x" + (word(2**255) * 3).hex(), "0x" + "ff" * 4_096],
    ids=["aliased offsets", "a length beyond all", "an offset beyond all", "no ABI at all"],
)
async def test_a_multicalls_answer_that_is_a_decode_bomb_is_refused_and_asked_again(answer: str, world: World) -> None:
    async with prepared(world, 2) as trial:
        bomb = trial.proxies[0].fault(faults.results("eth_call", lambda asked, result: answer), method="eth_call")
        async with running(trial):
            await trial.arrived()
            await trial.trade()
            await trial.arrived()
        assert bomb.taken
        await trial.same_as_without()
