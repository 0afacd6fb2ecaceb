"""`python -m devnet` and `npm run build`."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devnet import Addresses
from devnet.binary import HOME
from devnet.build import built_artifacts
from devnet.rpc import JsonRpc

pytestmark = pytest.mark.anvil

UP = [sys.executable, "-m", "devnet", "up", "--port", "0"]


@contextmanager
def up(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `python -m devnet up`, ready; the last line it wrote."""
    process = subprocess.Popen([*UP, *options], cwd=HOME.parent, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield process, process.stderr.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stderr.close()


def client(url: str) -> JsonRpc:
    host, _, port = url.removeprefix("http://").partition(":")
    return JsonRpc(host, int(port))


def test_up_writes_where_everything_is_and_stops_on_sigterm(tmp_path: Path, addresses: Addresses) -> None:
    file = tmp_path / "devnet.json"
    with up("--bare", "--json", str(file)) as (process, line):
        content = json.loads(file.read_text())
        assert content["url"] in line
        assert Addresses.from_json(json.dumps(content["addresses"])) == addresses
        rpc = client(content["url"])
        assert int(rpc.call("eth_blockNumber"), 16) == addresses.ready_block
        rpc.call("eth_sendTransaction", {"from": addresses.deployer, "to": addresses.escrow, "value": "0x1"})
        assert reaches(rpc, addresses.ready_block + 1)
    assert process.returncode == 0
    with pytest.raises(OSError, match="refused"):
        client(content["url"]).call("eth_blockNumber")


def test_a_live_chain_goes_on_by_itself_at_real_time(tmp_path: Path) -> None:
    file = tmp_path / "devnet.json"
    with up("--live", "--block-time", "0.05", "--json", str(file)):
        rpc = client(json.loads(file.read_text())["url"])
        first = int(rpc.call("eth_blockNumber"), 16)
        assert reaches(rpc, first + 5)
        head = rpc.call("eth_getBlockByNumber", "latest", False)
    assert abs(int(head["timestamp"], 16) - time.time()) < 3600


def test_a_failing_start_is_one_line_and_an_exit_code() -> None:
    done = subprocess.run([*UP, "--", "--no-such-flag"], cwd=HOME.parent, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("devnet: anvil did not start")
    assert "Traceback" not in done.stderr


def test_addresses_are_printed_as_json(addresses: Addresses) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devnet", "addresses"],
        cwd=HOME.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Addresses.from_json(done.stdout) == addresses


def test_npm_run_build_names_the_folder_that_python_reads() -> None:
    done = subprocess.run(["node", "build.mjs"], cwd=HOME, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == built_artifacts()


def test_two_builds_at_once_end_with_one_whole_folder(tmp_path: Path) -> None:
    shutil.copytree(HOME / "contracts", tmp_path / "contracts")
    for name in ("build.mjs", "package-lock.json"):
        shutil.copy(HOME / name, tmp_path / name)
    (tmp_path / "node_modules").symlink_to(HOME / "node_modules")
    builds = [
        subprocess.Popen(["node", "build.mjs"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = [build.communicate(timeout=100)[0].strip() for build in builds]
    assert [build.returncode for build in builds] == [0, 0]
    assert printed[0] == printed[1]
    assert list((tmp_path / "build").iterdir()) == [Path(printed[0])]
    built, expected = sorted(Path(printed[0]).iterdir()), sorted(built_artifacts().iterdir())
    assert [(file.name, file.read_text()) for file in built] == [(file.name, file.read_text()) for file in expected]


def reaches(rpc: JsonRpc, block: int) -> bool:
    """Whether the chain gets to a block; waits for it, for at most half a minute."""
    for _ in range(300):
        if int(rpc.call("eth_blockNumber"), 16) >= block:
            return True
        time.sleep(0.1)
    return False
