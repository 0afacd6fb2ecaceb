"""Records what a kind asks of a node, and what it is answered, as a file of `tests/data/golden`.

For kinds of which no real block was recorded: run over the protocol's own contracts on a local chain. The holdings are
given by whoever knows what was put into the contracts, never taken from the kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer.adapters.registry import adapter, parse_params
from indexer.model import BlockRef, LogQuery
from indexer.reads.plan import Answer, Ask, Call, Failed, NativeBalance
from indexer.testing import drive
from tests.chain.plain_calls import PlainAnswers, Reverted, block, rpc

FOLDER = Path(__file__).parents[1] / "data" / "golden"


class Recorder(PlainAnswers):
    """Answers from a node, and keeps what it was asked."""

    def __init__(self, url: str, at: BlockRef) -> None:
        super().__init__(url, at)
        self.answers: dict[str, dict[str, str | None]] = {}
        self.native: dict[str, str] = {}
        self.logs: list[dict[str, Any]] = []

    def __call__(self, ask: Ask) -> Answer:
        answer = super().__call__(ask)
        if isinstance(ask, NativeBalance):
            self.native[ask.owner] = str(answer)
        elif isinstance(ask, LogQuery):
            self.logs += [log._asdict() | {"data": f"0x{log.data.hex()}"} for log in answer]
        else:
            self.answers.setdefault(ask.target, {})["0x" + ask.data.hex()] = self._raw(ask, answer)
        return answer

    def _raw(self, ask: Call, answer: Answer) -> str | None:
        try:
            return str(rpc(self.url, "eth_call", {"to": ask.target, "data": "0x" + ask.data.hex()}, self.pin))
        except Reverted:
            assert isinstance(answer, Failed)
            return None


def record(
    url: str, number: int, kind: str, params: Mapping[str, Any], holdings: Mapping[tuple[str, str], int], source: str
) -> None:
    """Write `<kind>_<number>.json`. `holdings` are amounts by token and owner, all of the bucket `base`."""
    at = block(url, number)
    recorder, one, given = Recorder(url, at), adapter(kind), parse_params(kind, params)
    drive(one.read(given, drive(one.discover(given, [], 0, at), recorder), at), recorder)
    golden = {
        "source": source,
        "block": asdict(at),
        "kind": kind,
        "params": params,
        "answers": recorder.answers,
        "native": recorder.native,
        "logs": recorder.logs,
        "holdings": [[token, owner, "base", str(amount)] for (token, owner), amount in holdings.items()],
    }
    (FOLDER / f"{kind}_{number}.json").write_text(json.dumps(golden, indent=1) + "\n")
