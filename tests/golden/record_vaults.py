"""Records the scenes of the shipped recipes as golden readings: `python -m tests.golden.record_vaults`.

The holdings are what the contracts' own getters and exact arithmetic give, never the kinds' own output.
"""

from __future__ import annotations

import json

from devnet import Devnet
from tests.chain.lending_scenes import settle
from tests.chain.vault_scenes import SCENES
from tests.golden.record_lending import FOLDER, record

SOURCE = "A local chain: tests/chain/vault_scenes.py, recorded by tests/golden/record_vaults.py"


def main() -> None:
    for name in SCENES:
        with Devnet.start() as net:
            place = settle(net)
            golden = record(place, SCENES[name](place), SOURCE)
        (FOLDER / f"{name}_local.json").write_text(json.dumps(golden, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
