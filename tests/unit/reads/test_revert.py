"""What a failed call is said to have failed of."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from indexer.errors import EndpointError, Verdict
from indexer.reads.revert import failure_reason

ERROR, PANIC = "0x08c379a0", "0x4e487b71"


def revert(data: str | None, message: str = "execution reverted") -> EndpointError:
    return EndpointError(message, verdict=Verdict.REVERT, data=data)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (revert(ERROR + encode(["string"], ["not yet"]).hex()), "reverted: not yet"),
        (revert(ERROR + encode(["string"], ["a\x00\u202eb"]).hex()), "reverted: a b"),
        (revert(PANIC + f"{0x12:064x}"), "reverted: Panic(0x12)"),
        (revert("0x556f1830" + "00" * 320), "reverted: OffchainLookup, which is not followed"),
        (revert("0x19abf40e"), "reverted: custom error 0x19abf40e"),
        (revert("0x"), "reverted without a reason"),
        (revert(None, "execution reverted: SafeMath: overflow"), "reverted: SafeMath: overflow"),
        (revert("0xzz"), "reverted without a reason"),
        (revert(ERROR), "reverted: "),
    ],
)
def test_a_revert_is_named_by_what_it_says(error: EndpointError, reason: str) -> None:
    assert failure_reason(error) == reason.strip()


def test_a_revert_of_a_megabyte_makes_a_short_reason() -> None:
    assert len(failure_reason(revert(ERROR + encode(["string"], ["x" * 1_000_000]).hex())).encode()) <= 200
    assert (
        len(failure_reason(revert("0x" + "ff" * 1_000_000, "execution reverted: " + "y" * 1_000_000)).encode()) <= 200
    )


@pytest.mark.parametrize("verdict", [Verdict.GASCAP, Verdict.TIMEOUT, Verdict.SPLIT])
def test_what_an_endpoint_cannot_run_is_not_called_a_revert(verdict: Verdict) -> None:
    reason = failure_reason(EndpointError("whatever", verdict=verdict))
    assert "alone" in reason
    assert "revert" not in reason
