"""`python -m devnet up` puts up a chain with every protocol and a history; `addresses` says where they stand.
Ctrl-C or SIGTERM stops everything."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from devnet.addresses import Addresses
from devnet.anvil import CHAIN_ID, GENESIS_TIMESTAMP
from devnet.chain import Devnet
from devnet.errors import DevnetError
from devnet.protocols import deploy_protocols
from devnet.scenario import DURATION_S, scenario
from devnet.traders import Traders

DEFAULT_PORT = 8545
DEPLOYMENT_S = 300  # more than the deployment's blocks take


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 0
    except DevnetError as error:
        print(f"devnet: {error}", file=sys.stderr)
    except OSError as error:
        print(f"devnet: anvil no longer answers ({error}); did another process stop it?", file=sys.stderr)
    return 1


def up(options: argparse.Namespace) -> int:
    """Start, deploy, play the scenario, say where everything is, and stay until stopped."""
    with Devnet.start(
        port=options.port,
        chain_id=options.chain_id,
        genesis_timestamp=_genesis_timestamp(options),
        extra_args=options.anvil_arguments,
    ) as net:
        addresses = deploy_protocols(net)
        if not options.bare:
            scenario(net, addresses, options.seed)
        if not options.live:
            net.rpc("evm_setAutomine", True)
        _announce(net, addresses, options.json)
        _stay(net, addresses, options)
    return 0


def addresses(options: argparse.Namespace) -> int:
    """Print where everything stands on every devnet, found by deploying on a passing one."""
    with Devnet.start(chain_id=options.chain_id) as net:
        print(deploy_protocols(net).to_json())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devnet", description="A local chain of real protocols.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser("addresses", help="print the addresses of everything as JSON")
    show.add_argument("--chain-id", type=int, default=CHAIN_ID)
    show.set_defaults(run=addresses)
    start = commands.add_parser("up", help="start a chain and stay until Ctrl-C")
    start.add_argument("--live", action="store_true", help="go on trading at random, in real time")
    start.add_argument(
        "--block-time", type=float, default=1.0, metavar="S", help="seconds a block, with --live; default 1"
    )
    start.add_argument("--port", type=int, default=DEFAULT_PORT, help="default %(default)s; 0: a free one")
    start.add_argument("--chain-id", type=int, default=CHAIN_ID, help="default %(default)s")
    start.add_argument("--seed", type=int, default=0, help="of all that is random; default %(default)s")
    start.add_argument("--bare", action="store_true", help="deploy and fund, but play no scenario")
    start.add_argument("--json", metavar="FILE", help="write URL and addresses when ready; - prints")
    start.add_argument("anvil_arguments", nargs="*", help="after --: further flags for anvil")
    start.set_defaults(run=up)
    return parser


def _genesis_timestamp(options: argparse.Namespace) -> int:
    """Such that a live chain's history ends now; else always the same, so that the hashes are too."""
    if not options.live:
        return GENESIS_TIMESTAMP
    return int(time.time()) - DEPLOYMENT_S - (0 if options.bare else DURATION_S)


def _announce(net: Devnet, addresses: Addresses, json_file: str | None) -> None:
    content = json.dumps({"url": net.url, "addresses": json.loads(addresses.to_json())}, indent=2)
    if json_file == "-":
        print(content)
    elif json_file:
        _write_whole(Path(json_file), content)
    sys.stdout.flush()
    ready = f"chain {addresses.chain_id} is ready at {net.url}, block {net.block_number()}"
    print(ready, file=sys.stderr, flush=True)


def _write_whole(path: Path, content: str) -> None:
    """Who waits for the file never sees half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(content)
    aside.replace(path)


def _stay(net: Devnet, addresses: Addresses, options: argparse.Namespace) -> None:
    """Mine until stopped: at real time with random trades, or else whatever others send, as it comes."""
    traders = Traders(net, addresses, options.seed + 1)
    while net.running:
        time.sleep(options.block_time)
        if options.live:
            traders.step_at(max(net.timestamp() + 1, int(time.time())))
    raise DevnetError("anvil has ended", "see whether another process stopped it")


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
