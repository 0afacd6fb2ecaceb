"""Faults of the wire, through the whole daemon: F1 to F12 and F16.

Each is tried twice: it lasts on the endpoint that is asked first, while a second one is well; and it passes, on the
only endpoint. In both the stored series is, to the byte, that of a run in which nothing went wrong.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pytest

from devnet import faults
from devnet.proxy import Act, Document
from tests.e2e.faults.trial import World, prepared, running

pytestmark = pytest.mark.anvil


@dataclass(frozen=True)
class Fault:
    """An act, the requests it is done to, and how often where it passes (0: it does not pass within a test)."""

    act: Act
    method: str | None = None
    times: int = 1


LIMITED = {"code": 429, "message": "Your app has exceeded its compute units per second capacity"}

FAULTS = {
    "F1 a 429 that says how long to wait": Fault(faults.status(429, Retry_After="1")),
    "F2 a rate error within HTTP 200": Fault(faults.error(429, LIMITED["message"])),
    "F3 a quota that is used up": Fault(faults.status(402, {"message": "Payment Required"}), times=0),
    "F4 a 401": Fault(faults.status(401, {"message": "invalid project id"}), times=0),
    "F4 a 403": Fault(faults.status(403, b"Forbidden"), times=0),
    "F5 a 413 with JSON for a large request": Fault(faults.too_large(9_000), "eth_call", times=40),
    "F6 a 500": Fault(faults.status(500, b"oops"), times=3),
    "F6 a 502": Fault(faults.page("502 Bad Gateway", 502)),
    "F6 a 503": Fault(faults.status(503, {"message": "Service Unavailable"})),
    "F6 a 504": Fault(faults.page("504 Gateway Time-out", 504)),
    "F6 a 520": Fault(faults.page("520: Web server is returning an unknown error", 520)),
    "F6 a 525": Fault(faults.status(525)),
    "F6 a page of HTML at 200": Fault(faults.page("Just a moment...")),
    "F7 an answer that drips in": Fault(faults.drip(0.02), "eth_call"),
    "F8 a body without end": Fault(faults.large(80 * 2**20), "eth_getBlockByNumber"),
    "F8 a gzip bomb": Fault(faults.gzip_bomb(80 * 2**20)),
    "F8 ten thousand gzip members": Fault(faults.gzip_members(10_000)),
    "F9 JSON that breaks off": Fault(faults.truncated(60)),
    "F9 an encoding that is not what it says": Fault(faults.status(200, b"{}", Content_Encoding="gzip")),
    "F9 an empty body": Fault(faults.status(200, b"")),
    "F12 a reset before the answer": Fault(faults.reset()),
    "F12 a reset within the answer": Fault(faults.reset(100)),
    "F16 a false method not found for headers": Fault(
        faults.error(-32601, "the method eth_getBlockByNumber does not exist"), "eth_getBlockByNumber", times=2
    ),
    "F16 a false method not found for calls": Fault(
        faults.error(-32601, "the method eth_call does not exist/is not available"), "eth_call"
    ),
}


@pytest.mark.parametrize("what", FAULTS)
async def test_a_fault_that_lasts_on_the_first_of_two_endpoints_changes_no_byte(what: str, world: World) -> None:
    fault = FAULTS[what]
    async with prepared(world, 2) as trial:
        rule = trial.proxies[0].fault(fault.act, method=fault.method)
        async with running(trial):
            await trial.arrived()
            await trial.trade(3)
            await trial.arrived()
        assert rule.taken
        await trial.same_as_without()
        assert trial.tells_no_key()


@pytest.mark.parametrize("what", [name for name, fault in FAULTS.items() if fault.times])
async def test_a_fault_that_passes_on_the_only_endpoint_changes_no_byte(what: str, world: World) -> None:
    fault = FAULTS[what]
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        rule = trial.proxies[0].fault(fault.act, method=fault.method, times=fault.times)
        await trial.trade(2)
        await trial.arrived()
        assert rule.taken
        await trial.same_as_without()
        assert trial.tells_no_key()


@pytest.mark.parametrize("what", ["F3 a quota that is used up", "F4 a 401", "F4 a 403"])
async def test_an_endpoint_without_quota_or_leave_is_told_once_and_not_asked_again(what: str, world: World) -> None:
    async with prepared(world, 2) as trial:
        trial.proxies[0].fault(FAULTS[what].act)
        async with running(trial):
            await trial.arrived()
            asked = trial.proxies[0].posts
            await trial.trade(3)
            await trial.arrived()
        assert trial.proxies[0].posts == asked <= 2
        (told,) = trial.heard("endpoint trouble")
        assert told["trouble"] in ("quota", "auth")
        assert trial.tells_no_key()


# F10 and F11: replies that do not fit the requests. Without Multicall3 every read is a JSON-RPC batch of its own calls,
# so that a reply taken for its neighbour's would be a wrong number.


def _without(place: int) -> faults.Edit:
    return lambda replies: replies[:place] + replies[place + 1 :]


def _with(place: int, **fields: object) -> faults.Edit:
    def change(replies: list[Document]) -> list[Document]:
        if len(replies) > place:
            replies[place] = {**replies[place], **fields}
        return replies

    return change


def _swapped(replies: list[Document]) -> list[Document]:
    """Right answers under wrong ids, one of them foreign: what a positional reader would take for its own."""
    ids = [reply["id"] for reply in replies]
    return [{**reply, "id": id_} for reply, id_ in zip(replies, [*ids[1:], max(ids) + 1], strict=True)]


def _neither(replies: list[Document]) -> list[Document]:
    replies[-1].pop("result", None)
    return replies


MISFITS: dict[str, faults.Edit] = {
    "F10 an id is wrong": _with(1, id=10**9),
    "F10 an id is missing": lambda replies: [{k: v for k, v in reply.items() if k != "id"} for reply in replies],
    "F10 an id comes twice": lambda replies: [*replies[:-1], replies[0]],
    "F10 ids are strings": lambda replies: [{**reply, "id": str(reply["id"])} for reply in replies],
    "F10 a reply is missing": _without(1),
    "F10 a reply too many": lambda replies: [*replies, replies[0]],
    "F10 every id is its neighbour's": _swapped,
    "F11 result and error both": _with(1, error={"code": 3, "message": "execution reverted"}),
    "F11 neither result nor error": _neither,
}


def one_by_one(text: str) -> str:
    """The chain without Multicall3."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("multicall3"))


@pytest.mark.parametrize("what", MISFITS)
async def test_replies_that_do_not_fit_are_never_taken_for_one_another(what: str, world: World) -> None:
    async with prepared(world, 2, change=one_by_one) as trial:
        lasting = trial.proxies[0].fault(faults.edit(MISFITS[what]), method="eth_call")
        async with running(trial):
            await trial.arrived()
            passing = trial.proxies[1].fault(faults.edit(MISFITS[what]), method="eth_call", times=1)
            await trial.trade(2)
            await trial.arrived()
        assert lasting.taken
        assert passing.taken
        await trial.same_as_without()


# F12: nobody there at all


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "url",
    ["http://no-such-host.invalid/v3/CANARY-0f1d", "http://127.0.0.1:{port}/v3/CANARY-0f1d"],
    ids=["F12 a name that does not resolve", "F14 an endpoint that is dead from the start"],
)
async def test_an_endpoint_that_cannot_be_reached_is_passed_over(url: str, world: World) -> None:
    async with prepared(world, before=[url.format(port=_free_port())]) as trial, running(trial):
        await trial.arrived()
        await trial.trade(2)
        await trial.arrived()
        await trial.same_as_without()
        assert trial.tells_no_key()
