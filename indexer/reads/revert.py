"""What a failed call says of itself -> one short, safe sentence.

Decodes Error(string) and Panic(uint256) (https://docs.soliditylang.org/en/latest/control-structures.html#revert) and
names EIP-3668's OffchainLookup, which is never followed: a contract does not choose what this program fetches.
"""

from __future__ import annotations

from indexer.errors import EndpointError, Verdict, clean
from indexer.reads.abi import function

REASON_BYTES = 200

_ERROR = function("Error(string)(string)")
_PANIC = function("Panic(uint256)(uint256)")
_OFFCHAIN_LOOKUP = "556f1830"
_ALONE = {
    Verdict.GASCAP: "needs more gas than the endpoints give, alone",
    Verdict.TIMEOUT: "takes longer than the endpoints allow, alone",
    Verdict.SPLIT: "answers more than the endpoints deliver, alone",
}


def failure_reason(error: EndpointError) -> str:
    """Why a call failed that was asked alone."""
    if error.verdict in _ALONE:
        return _ALONE[error.verdict]
    if error.verdict is not Verdict.REVERT:
        return clean(f"is not answered, alone: {error.message}", REASON_BYTES)
    return revert_reason(error.data or "") or _of_message(error.message)


def _of_message(message: str) -> str:
    said = message.replace("execution reverted", "").strip(" :,.")
    return clean(f"reverted: {said}", REASON_BYTES) if said else "reverted without a reason"


def revert_reason(data: str) -> str:
    """`reverted: …` of a revert's data in hex; empty where the data says nothing."""
    digits = data.removeprefix("0x")[: 16 * REASON_BYTES]
    try:
        raw = bytes.fromhex(digits[: len(digits) & ~1])
    except ValueError:
        return ""
    return _described(raw) if len(raw) >= 4 else ""


def _described(raw: bytes) -> str:
    selector, body = raw[:4], raw[4:]
    if selector.hex() == _OFFCHAIN_LOOKUP:
        return "reverted: OffchainLookup, which is not followed"
    if selector == _PANIC.selector and len(body) >= 32:
        return f"reverted: Panic(0x{int.from_bytes(body[:32], 'big') & 0xFF:02x})"
    if selector == _ERROR.selector:
        return clean(f"reverted: {_message(body)}", REASON_BYTES)
    return f"reverted: custom error 0x{selector.hex()}"


def _message(body: bytes) -> str:
    """The text of Error(string), also where its tail was cut off or is not UTF-8."""
    length = int.from_bytes(body[32:64], "big")
    return body[64 : 64 + min(length, 4 * REASON_BYTES)].decode("utf-8", "replace")
