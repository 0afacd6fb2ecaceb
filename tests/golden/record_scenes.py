"""Records scenes of a local chain as golden readings: `python -m tests.golden.record_scenes`.

The holdings are what the contracts' own getters and exact arithmetic give, never the kinds' own output.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from devnet import Devnet
from indexer.adapters.registry import adapter, parse_params
from indexer.testing import drive
from tests.chain import lending_scenes, vault_scenes
from tests.chain.lending_scenes import Place, Scene, settle
from tests.chain.plain_calls import block
from tests.golden.record import FOLDER, Recorder


def record(place: Place, scene: Scene, source: str) -> dict[str, Any]:
    """A scene as a golden reading."""
    at = block(place.net.url, place.net.block_number())
    kind, params, answers = adapter(scene.kind), parse_params(scene.kind, scene.params), Recorder(place.net.url, at)
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
    for module in (lending_scenes, vault_scenes):
        scenes = module.__name__.rpartition(".")[2]
        source = f"A local chain: tests/chain/{scenes}.py, recorded by tests/golden/record_scenes.py"
        for name, play in module.SCENES.items():
            with Devnet.start() as net:
                place = settle(net)
                golden = record(place, play(place), source)
            (FOLDER / f"{name}_local.json").write_text(json.dumps(golden, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
