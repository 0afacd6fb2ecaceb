"""Replies of providers, recorded and in other words, each with what must follow from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexer.chain.base import Request
from indexer.chain.failures import classify, from_error, from_text
from indexer.chain.verdicts import TABLE, Failure, decide
from indexer.errors import Verdict

DATA = Path(__file__).parents[2] / "data" / "rpc_errors.json"
RECORDED = json.loads(DATA.read_text())
BLOCK_HASH = "0x" + "ab" * 32
CALL = Request("eth_call", ({"to": "0x" + "11" * 20, "data": "0x"}, "0x10"))
CALL_AT_HASH = Request("eth_call", ({"to": "0x" + "11" * 20, "data": "0x"}, {"blockHash": BLOCK_HASH}))
LOGS = Request("eth_getLogs", ({"fromBlock": "0x1", "toBlock": "0x100"},))
HEAD = Request("eth_blockNumber")
TRACE = Request("debug_traceCall", ())

# (request, http status, code, text, verdict): the families of the recorded texts in other words, and others beside.
HELD_OUT = [
    (LOGS, 200, -32005, "query returned more than 20000 results", "SPLIT"),
    (LOGS, 200, -32005, "query returned more than 50000 results. Try with this block range [0x1, 0xff].", "SPLIT"),
    (LOGS, 200, -32602, "range 250001 exceeds limit of 5000", "SPLIT"),
    (LOGS, 400, -32600, "Response size exceeded 100MB, please narrow your filter", "SPLIT"),
    (LOGS, 413, 0, "eth_getLogs is limited to a 5 range", "SPLIT"),
    (LOGS, 200, -32000, "requested too many blocks from 100 to 90000, maximum is set to 10000", "SPLIT"),
    (LOGS, 200, -32600, "block range is too large, please use at most 3000 blocks", "SPLIT"),
    (LOGS, 200, -32000, "logs matched by query exceeds limit of 20000", "SPLIT"),
    (LOGS, 200, -32047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 50", "SPLIT"),
    (LOGS, 200, -32701, "Please specify less number of addresses, exceed maximum of 10 addresses", "SPLIT"),
    (LOGS, 200, -32602, "query exceeds max results 20000, retry with the range 10-20", "SPLIT"),
    (LOGS, 400, -32000, "eth_getLogs requests are restricted: up to a 10 block range on this tier", "SPLIT"),
    (LOGS, 200, -32602, "max block range exceeded: 100", "SPLIT"),
    (LOGS, 200, -32602, "the query must be limited to at most 500 blocks", "SPLIT"),
    (LOGS, 200, 35, "ranges over 500 blocks are not supported on your tier", "SPLIT"),
    (LOGS, 200, -32008, "Response is too large", "SPLIT"),
    (LOGS, 200, -32603, "backend response too large", "SPLIT"),
    (CALL, 200, -32600, "batch size 500 exceeds the maximum of 100", "SPLIT"),
    (CALL, 200, -32000, "Too many requests in batch, maximum batch size is 20", "SPLIT"),
    (CALL, 200, -32003, "response too large", "SPLIT"),
    (CALL, 413, 0, "Request Entity Too Large", "SPLIT"),
    (CALL, 413, 0, "", "SPLIT"),
    (CALL, 400, -32600, "JSON-RPC batch requests are not supported", "SPLIT"),
    (CALL, 200, -32602, "block number is beyond the current chain head", "MISSING_TIP"),
    (CALL, 200, -32000, "header not found", "MISSING_TIP"),
    (CALL, 200, -32000, "unknown block", "MISSING_TIP"),
    (CALL, 200, -39001, "Unknown block", "MISSING_TIP"),
    (CALL_AT_HASH, 200, -32001, "Resource not found", "MISSING_TIP"),
    (CALL_AT_HASH, 200, -32001, "gone", "MISSING_TIP"),
    (CALL, 200, -32000, "cannot query unfinalized data", "MISSING_TIP"),
    (CALL, 200, -32602, "BlockOutOfRangeError: block height is 900 but requested was 901", "MISSING_TIP"),
    (LOGS, 200, -32000, "One of the blocks specified in filter (fromBlock or toBlock) cannot be found.", "MISSING_TIP"),
    (LOGS, 200, -32602, "toBlock 0x200 is higher than the latest block", "MISSING_TIP"),
    (CALL_AT_HASH, 200, -32000, "hash 0xabab is not currently canonical", "WRONG_FORK"),
    (CALL_AT_HASH, 200, -32000, "block 0xabab is no longer canonical", "WRONG_FORK"),
    (CALL, 200, 4444, "history has been pruned", "PRUNED"),
    (CALL, 200, 4444, "not served", "PRUNED"),
    (CALL, 200, -32000, "missing trie node 77aa (path 0001) <nil>", "PRUNED"),
    (CALL, 200, -32000, "state at block #1234 is pruned", "PRUNED"),
    (CALL, 200, -32000, "historical state 0x77 is not available", "PRUNED"),
    (CALL, 200, -32000, "layer stale", "PRUNED"),
    (CALL, 200, -32000, "metadata is not found, 3 != 4", "PRUNED"),
    (CALL, 200, -32602, "BlockOutOfRangeError: block height is 900 but requested was 12", "PRUNED"),
    (CALL, 200, -32000, "required historical state unavailable (reexec=128)", "PRUNED"),
    (CALL, 200, -32000, "This request needs an archive node; upgrade your plan to access archive data", "PRUNED"),
    (CALL, 200, -32000, "No state available for block 0x1234", "PRUNED"),
    (CALL, 200, -32000, "failed to load state at height 77; version does not exist (latest height: 99)", "PRUNED"),
    (CALL, 200, 429, "You have exceeded your compute units per second capacity", "RATE"),
    (CALL, 200, -32012, "credits limited to 500/sec", "RATE"),
    (CALL, 200, -32007, "50/second request limit reached", "RATE"),
    (CALL, 429, 0, "Too Many Requests", "RATE"),
    (CALL, 429, 0, "", "RATE"),
    (CALL, 200, -32000, "error code: 1015", "RATE"),
    (CALL, 200, -32016, "over rate limit", "RATE"),
    (CALL, 200, -32005, "limit exceeded", "RATE"),
    (CALL, 200, -32000, "call rate limit exhausted, retry in 10s", "RATE"),
    (CALL, 200, -32090, "too many requests, reason: call rate limit exhausted, retry in 59s", "RATE"),
    (CALL, 403, 42903, "not enough CUPs", "RATE"),
    (LOGS, 200, -32012, "credits limited to 9000/sec", "RATE"),
    (CALL, 200, -32000, "you are being throttled", "RATE"),
    (CALL, 402, 0, "Payment Required", "QUOTA"),
    (CALL, 402, 0, "", "QUOTA"),
    (CALL, 402, -32005, "daily request count exceeded, request rate limited", "QUOTA"),
    (CALL, 429, -32600, "Monthly capacity limit exceeded. Upgrade your scaling policy", "QUOTA"),
    (CALL, 200, -32003, "daily request limit reached - upgrade your account", "QUOTA"),
    (CALL, 200, 402, "no more", "QUOTA"),
    (CALL, 401, 0, "", "AUTH"),
    (CALL, 403, 0, "Forbidden", "AUTH"),
    (CALL, 200, -32600, "Invalid API key provided", "AUTH"),
    (CALL, 200, -32000, "project ID is not valid or was disabled: invalid project id", "AUTH"),
    (CALL, 200, 401, "no", "AUTH"),
    (CALL, 200, -32000, "unauthorized: authenticate your request with an API key", "AUTH"),
    (CALL, 200, -32000, "execution aborted (timeout = 10s)", "TIMEOUT"),
    (CALL, 200, -32002, "request timed out", "TIMEOUT"),
    (CALL, 200, -32002, "late", "TIMEOUT"),
    (CALL, 408, 0, "", "TIMEOUT"),
    (CALL, 200, -32000, "context deadline exceeded", "TIMEOUT"),
    (LOGS, 200, -32000, "query timeout exceeded", "TIMEOUT"),
    (CALL, 200, -32000, "err: out of gas (supplied gas 30000000)", "GASCAP"),
    (CALL, 200, -32000, "out of gas: gas required exceeds: 50000000", "GASCAP"),
    (CALL, 200, -32000, "gas required exceeds allowance (550000000)", "GASCAP"),
    (CALL, 200, -32000, "intrinsic gas too low", "GASCAP"),
    (CALL, 200, 3, "execution reverted: UniswapV2: K", "REVERT"),
    (CALL, 200, -32000, "execution reverted", "REVERT"),
    (CALL, 200, -32015, "Transaction execution fails", "REVERT"),
    (CALL, 200, -32603, "VM Exception while processing transaction: revert", "REVERT"),
    (CALL, 200, -32000, "Error: VM Exception while processing transaction: reverted with reason string 'x'", "REVERT"),
    (CALL, 200, -32000, "invalid opcode: INVALID", "REVERT"),
    (CALL, 200, -32000, "invalid jump destination", "REVERT"),
    (CALL, 200, -32000, "stack underflow (0 <=> 1)", "REVERT"),
    (CALL, 200, -32603, "EVM error InvalidFEOpcode", "REVERT"),
    (CALL, 200, -32000, "opcode 0xfe not defined", "REVERT"),
    (TRACE, 200, -32601, "the method debug_traceCall does not exist/is not available", "UNSUPPORTED"),
    (TRACE, 200, -32601, "", "UNSUPPORTED"),
    (TRACE, 200, -32004, "This request method is not supported", "UNSUPPORTED"),
    (LOGS, 403, -32000, "method eth_getLogs is not allowed on this plan", "UNSUPPORTED"),
    (
        CALL_AT_HASH,
        200,
        -32602,
        "invalid argument 1: json: cannot unmarshal object into Go value of type string",
        "UNSUPPORTED",
    ),
    (CALL, 200, -32602, "too few of them", "UNSUPPORTED"),
    (HEAD, 200, -32601, "the method eth_blockNumber does not exist", "SERVER"),
    (HEAD, 200, -32601, "", "SERVER"),
    (CALL, 502, 0, "Bad Gateway", "SERVER"),
    (CALL, 503, 0, "Service Unavailable", "SERVER"),
    (CALL, 520, 0, "", "SERVER"),
    (CALL, 504, 0, "", "SERVER"),
    (CALL, 200, -32603, "Internal error", "SERVER"),
    (LOGS, 200, -32614, "no", "SPLIT"),
    (CALL, 200, -32011, "no healthy backend available", "SERVER"),
    (CALL, 200, -32000, "node is still syncing", "SERVER"),
    (CALL, 200, -32099, "something nobody has seen before", "SERVER"),
    (CALL, 200, -32700, "what", "MALFORMED"),
]


def judge(request: Request, status: int, code: int, text: str) -> Verdict:
    failure = from_error({"code": code, "message": text}, status, {})
    return classify(failure, request, endpoint="e").verdict


@pytest.mark.parametrize("reply", RECORDED, ids=lambda reply: f"{reply['provider']}: {reply['message'][:40]}")
def test_a_recorded_reply_gets_its_verdict(reply: dict[str, object]) -> None:
    expected = {"MISSING": "MISSING_TIP"}.get(str(reply["expected"]), reply["expected"])
    for request in (LOGS, CALL):
        assert judge(request, reply["http"], reply["code"], reply["message"]) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("request_", "status", "code", "text", "expected"), HELD_OUT)
def test_a_reply_in_other_words_gets_the_verdict_of_its_family(
    request_: Request, status: int, code: int, text: str, expected: str
) -> None:
    assert judge(request_, status, code, text) == expected


def test_every_row_of_the_table_decides_about_some_reply() -> None:
    seen = [from_error({"code": r["code"], "message": r["message"]}, r["http"], {}) for r in RECORDED]
    rows = {id(decide(failure, CALL)) for failure in seen}
    rows |= {id(decide(from_error({"code": c, "message": t}, s, {}), r)) for r, s, c, t, _ in HELD_OUT}
    assert [row for row in TABLE if id(row) not in rows] == []


def test_all_thirteen_verdicts_are_reached() -> None:
    assert {Verdict(expected) for *_, expected in HELD_OUT} == set(Verdict)


@pytest.mark.parametrize(
    "reason",
    [
        "rate limit exceeded, retry in 60s",
        "missing trie node",
        "block not found",
        "Unauthorized",
        "query returned more than 10000 results",
        "daily quota reached",
        "out of gas",
        "timeout",
    ],
)
def test_a_contract_cannot_pass_its_reason_off_as_its_providers_word(reason: str) -> None:
    for text in (f"execution reverted: {reason}", f"VM Exception while processing transaction: revert {reason}"):
        assert judge(CALL, 200, 3, text) == Verdict.REVERT
        assert judge(CALL, 200, -32000, text) == Verdict.REVERT


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("0x08c379a0", "0x08c379a0"),
        ("Reverted 0x08c379a0", "0x08c379a0"),
        ({"data": "0x1234"}, "0x1234"),
        ("0x", "0x"),
        ("0x123", None),
        ("words", None),
        (None, None),
        (["0x12"], None),
    ],
)
def test_the_data_of_a_revert_is_kept(detail: object, expected: str | None) -> None:
    failure = from_error({"code": 3, "message": "execution reverted", "data": detail}, 200, {})
    assert classify(failure, CALL, endpoint="e").data == expected


def test_the_nodes_words_in_the_data_member_count() -> None:
    failure = from_error({"code": -32000, "message": "Server error", "data": "missing trie node 0xab"}, 200, {})
    assert classify(failure, CALL, endpoint="e").verdict == Verdict.PRUNED


@pytest.mark.parametrize(
    ("headers", "text", "expected"),
    [
        ({"Retry-After": "2"}, "", 2.0),
        ({"Retry-After": "0.5"}, "", 0.5),
        ({"Retry-After": "Sat, 21 Nov 2026 10:00:30 GMT", "Date": "Sat, 21 Nov 2026 10:00:00 GMT"}, "", 30.0),
        ({"Retry-After": "99999999"}, "", 3_600.0),
        ({"Retry-After": "soon"}, "", None),
        ({"Retry-After": "-5"}, "", None),
        ({}, "call rate limit exhausted, retry in 10s", 10.0),
        ({}, "too many requests, try again in 250ms", 0.25),
        ({}, "too many requests", None),
    ],
)
def test_the_wait_that_was_asked_for_is_known(headers: dict[str, str], text: str, expected: float | None) -> None:
    assert classify(Failure(429, 0, text, None, headers), CALL, endpoint="e").retry_after_s == expected


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        ("rate limit exceeded", 200, Verdict.RATE),
        ({"message": "rate limit exceeded"}, 200, Verdict.RATE),
        ({"code": "-32005", "message": "no"}, 200, Verdict.RATE),
        ({"code": True, "message": "no"}, 200, Verdict.SERVER),
        ({"code": None, "message": None}, 401, Verdict.AUTH),
        ({}, 500, Verdict.SERVER),
        ([], 200, Verdict.SERVER),
        (7, 200, Verdict.SERVER),
    ],
)
def test_an_error_of_any_shape_is_read(error: object, status: int, expected: Verdict) -> None:
    assert classify(from_error(error, status, {}), CALL, endpoint="e").verdict == expected


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"<html><head><title>502 Bad Gateway</title></head><body>block not found</body></html>", 502, Verdict.SERVER),
        (b"<html><title>Just a moment...</title><body>rate limit</body></html>", 200, Verdict.SERVER),
        (b"<html><title>429 Too Many Requests</title></html>", 200, Verdict.RATE),
        (b"error code: 1015", 200, Verdict.RATE),
        (b"", 503, Verdict.SERVER),
        (b"\xff\xfe\x00", 500, Verdict.SERVER),
    ],
)
def test_of_a_page_that_is_no_json_only_the_title_counts(body: bytes, status: int, expected: Verdict) -> None:
    assert classify(from_text(body, status, {}), CALL, endpoint="e").verdict == expected


def test_a_megabyte_of_error_text_costs_half_a_kilobyte() -> None:
    failure = from_error({"code": 3, "message": "execution reverted: " + "é\n\x00" * 400_000}, 200, {})
    error = classify(failure, CALL, endpoint="e")
    assert error.verdict == Verdict.REVERT
    assert len(error.message.encode()) <= 512
    assert not set("\n\x00") & set(str(error))


def test_a_reply_nobody_knows_is_marked_so_that_it_can_be_looked_at() -> None:
    error = classify(from_error({"code": -32099, "message": "new words"}, 200, {}), CALL, endpoint="e")
    assert error.context["unknown"] is True
