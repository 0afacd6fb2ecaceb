"""Records the lending scenes of a local chain as golden readings: `python -m tests.golden.record_lending`.

The holdings are what the contracts' own getters and exact arithmetic give, never the kinds' own output.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devnet import Devnet
from indexer.adapters.registry import adapter, parse_params
from indexer.reads.plan import Answer, Ask, Call, Failed, LogQuery, NativeBalance
from indexer.testing import drive
from tests.chain.lending_scenes import SCENES, Place, Scene, settle
from tests.chain.plain_calls import PlainAnswers, block, rpc

FOLDER = Path(__file__).parents[1] / "data" / "golden"
SOURCE = "A local chain: tests/chain/lending_scenes.py, recorded by tests/golden/record_lending.py"


class Recording(PlainAnswers):
    """Answers a plan's questions from a node, and keeps what came."""

    def __init__(self, url: str, at: Any) -> None:
        super().__init__(url, at)
        self.answers: dict[str, dict[str, str | None]] = {}
        self.native: dict[str, str] = {}
        self.logs: list[dict[str, Any]] = []

    def __call__(self, ask: Ask) -> Answer:
        answer = super().__call__(ask)
        if isinstance(ask, Call):
            data = "0x" + ask.data.hex()
            self.answers.setdefault(ask.target, {})[data] = None if isinstance(answer, Failed) else self._raw(ask)
        elif isinstance(ask, NativeBalance):
            self.native[ask.owner] = str(answer)
        elif isinstance(ask, LogQuery):
            self.logs += [{**asdict(log), "data": "0x" + log.data.hex()} for log in answer]
        return answer

    def _raw(self, ask: Call) -> str:
        call = {"to": ask.target, "data": "0x" + ask.data.hex()}
        return str(rpc(self.url, "eth_call", call, self.pin))


def record(place: Place, scene: Scene, source: str) -> dict[str, Any]:
    """A scene as a golden reading."""
    at = block(place.net.url, place.net.block_number())
    kind, params, answers = adapter(scene.kind), parse_params(scene.kind, scene.params), Recording(place.net.url, at)
    found = drive(kind.discover(params, [], 0, at), answers)
    drive(kind.read(params, found, at), answers)
    return {
        "source": source,
        "block": asdict(at),
        "kind": scene.kind,
        "params": scene.params,
        "answers": answers.answers,
        "native": answers.native,
        "logs": answers.logs,
        "holdings": [[*key, str(amount)] for key, amount in scene.expected.items()],
    }


def main() -> None:
    for name in SCENES:
        with Devnet.start() as net:
            place = settle(net)
            golden = record(place, SCENES[name](place), SOURCE)
        (FOLDER / f"{name}_local.json").write_text(json.dumps(golden, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
