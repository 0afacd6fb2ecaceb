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
from indexer.testing import drive
from tests.chain.lending_scenes import SCENES, Place, settle
from tests.chain.plain_calls import block
from tests.golden.record import Recorder

FOLDER = Path(__file__).parents[1] / "data" / "golden"
SOURCE = "A local chain: tests/chain/lending_scenes.py, recorded by tests/golden/record_lending.py"


def record(place: Place, name: str) -> dict[str, Any]:
    """A scene as a golden reading."""
    scene = SCENES[name](place)
    at = block(place.net.url, place.net.block_number())
    kind, params, answers = adapter(scene.kind), parse_params(scene.kind, scene.params), Recorder(place.net.url, at)
    found = drive(kind.discover(params, [], 0, at), answers)
    drive(kind.read(params, found, at), answers)
    return {
        "source": SOURCE,
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
            golden = record(settle(net), name)
        (FOLDER / f"{name}_local.json").write_text(json.dumps(golden, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
