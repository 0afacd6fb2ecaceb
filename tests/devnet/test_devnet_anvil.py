"""Starting, stopping and steering a plain anvil."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from devnet import Anvil, NotInstalledError, NotStartedError, RpcError, binary
from devnet.anvil import next_base_fee

pytestmark = pytest.mark.anvil

ROOT = Path(__file__).parents[2]
START_AND_WAIT = "from devnet import Anvil; import time; print(Anvil.start().pid, flush=True); time.sleep(60)"


def hashes(net: Anvil) -> list[str]:
    return [net.block(number)["hash"] for number in range(net.block_number() + 1)]


def test_two_chains_at_once_get_ports_of_their_own() -> None:
    with Anvil.start() as one, Anvil.start(chain_id=10) as other:
        assert one.port != other.port
        assert (one.rpc("eth_chainId"), other.rpc("eth_chainId")) == (hex(31337), "0xa")


def test_a_taken_port_is_an_error_with_anvils_own_words() -> None:
    with Anvil.start() as net, pytest.raises(NotStartedError, match=r"(?i)in use"):
        Anvil.start(port=net.port)


def test_an_unknown_flag_is_an_error_with_anvils_own_words() -> None:
    with pytest.raises(NotStartedError, match="--no-such-flag"):
        Anvil.start(extra_args=["--no-such-flag"])


def test_a_stopped_chain_is_gone_and_can_be_stopped_again() -> None:
    net = Anvil.start()
    net.stop()
    net.stop()
    assert not net.running
    with pytest.raises(OSError, match="refused"):
        net.rpc("eth_chainId")


def test_a_chain_stops_when_the_process_that_started_it_is_killed() -> None:
    starter = subprocess.Popen([sys.executable, "-c", START_AND_WAIT], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    anvil = int(starter.stdout.readline())
    assert is_running(anvil)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    assert ends(anvil)


def test_a_chain_outlives_the_thread_that_started_it() -> None:
    started: list[Anvil] = []
    thread = threading.Thread(target=lambda: started.append(Anvil.start()))
    thread.start()
    thread.join()
    with started[0] as net:
        assert net.block_number() == 0


def test_a_missing_anvil_is_an_error_that_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binary, "HOME", tmp_path)
    with pytest.raises(NotInstalledError, match="npm ci --prefix devnet"):
        Anvil.start()


def test_the_environment_can_name_another_anvil(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANVIL", str(tmp_path / "anvil"))
    with pytest.raises(NotInstalledError, match="cannot be run"):
        binary.find_anvil()
    chosen = tmp_path / "anvil"
    chosen.write_text("#!/bin/sh\n")
    chosen.chmod(0o755)
    assert binary.find_anvil() == chosen


def test_an_anvil_on_the_path_serves_when_npm_installed_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = binary.find_anvil()
    monkeypatch.delenv("ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(installed.parent))
    monkeypatch.setattr(binary, "HOME", tmp_path)
    assert binary.find_anvil() == installed


def test_blocks_have_the_timestamps_that_were_asked_for() -> None:
    with Anvil.start(genesis_timestamp=1_600_000_000) as net:
        net.mine(3, dt=5)
        net.mine_at(1_600_000_100)
        seconds = [int(net.block(number)["timestamp"], 16) - 1_600_000_000 for number in range(5)]
    assert seconds == [0, 5, 10, 15, 100]


def test_a_reorganisation_changes_the_last_hashes_and_keeps_the_height() -> None:
    with Anvil.start() as net:
        net.mine(6)
        before = hashes(net)
        net.reorg(2)
        after = hashes(net)
    assert after[:5] == before[:5]
    assert len(after) == len(before)
    assert not set(after[5:]) & set(before[5:])


def test_a_reorganisation_can_bring_other_transactions() -> None:
    with Anvil.start() as net:
        net.mine(3)
        giver, taker = net.rpc("eth_accounts")[:2]
        had = int(net.rpc("eth_getBalance", taker, "latest"), 16)
        net.reorg(2, [({"from": giver, "to": taker, "value": "0x7"}, 0)])
        assert int(net.rpc("eth_getBalance", taker, "0x2"), 16) == had + 7
        assert int(net.rpc("eth_getBalance", taker, "0x1"), 16) == had


def test_a_rollback_shortens_the_chain() -> None:
    with Anvil.start() as net:
        net.mine(5)
        before = hashes(net)
        net.rollback(2)
        assert hashes(net) == before[:4]


def test_what_came_after_a_snapshot_is_undone() -> None:
    with Anvil.start() as net:
        net.mine(2)
        snapshot = net.snapshot()
        before = hashes(net)
        net.mine(4)
        net.revert(snapshot)
        assert hashes(net) == before


def test_the_same_blocks_after_a_revert_or_a_rollback_have_the_same_hashes() -> None:
    with Anvil.start() as net:
        net.mine(3)
        snapshot = net.snapshot()
        net.mine(5)
        before = hashes(net)
        net.revert(snapshot)
        net.mine(5)
        assert hashes(net) == before
        net.rollback(4)
        net.mine(4)
        assert hashes(net) == before


@pytest.mark.parametrize("used", [0, 5_000_000, 15_000_000, 29_000_000])
def test_the_next_base_fee_is_that_of_the_next_block(used: int) -> None:
    """A contract of one endless loop uses up all the gas that its caller allows."""
    with Anvil.start() as net:
        net.mine()
        account, loop = net.rpc("eth_accounts")[0], "0x" + "33" * 20
        net.rpc("anvil_setCode", loop, "0x5b600056")
        if used:
            net.rpc("eth_sendTransaction", {"from": account, "to": loop, "gas": hex(used)})
        net.mine()
        full = net.block()
        net.mine()
        assert int(full["gasUsed"], 16) == used
        assert int(net.block()["baseFeePerGas"], 16) == next_base_fee(full)


def test_short_epochs_make_blocks_final_at_once() -> None:
    with Anvil.start(extra_args=["--slots-in-an-epoch", "1"]) as net:
        net.mine(5)
        assert [int(net.block(tag)["number"], 16) for tag in ("latest", "safe", "finalized")] == [5, 4, 3]


def test_a_chain_that_prunes_has_old_headers_but_not_their_state() -> None:
    with Anvil.start(history=3) as net:
        account = net.rpc("eth_accounts")[0]
        net.mine(10)
        assert net.block(1)["number"] == "0x1"
        assert net.rpc("eth_getBalance", account, "0xa")
        with pytest.raises(RpcError):
            net.rpc("eth_getBalance", account, "0x1")


def test_a_thousand_blocks_back_can_be_called_and_nothing_is_written_to_disk() -> None:
    with Anvil.start() as net:
        account = net.rpc("eth_accounts")[0]
        net.mine(1_000)
        net.rpc("anvil_setBalance", account, "0x1")
        net.mine()
        assert int(net.rpc("eth_getBalance", account, "0x1"), 16) == 10**24
        assert [path for path in net.scratch.rglob("*") if path.is_file()] == []


def test_a_block_is_found_by_its_hash_and_a_missing_one_is_not() -> None:
    with Anvil.start() as net:
        net.mine()
        head = net.block()
        assert net.block(head["hash"]) == head
        with pytest.raises(KeyError):
            net.block("0x" + "11" * 32)


def test_a_batch_answers_in_the_order_of_its_requests() -> None:
    with Anvil.start() as net:
        net.mine(40)
        answers = net.batch([("eth_getBlockByNumber", [hex(number), False]) for number in range(41)])
        assert [int(block["number"], 16) for block in answers] == list(range(41))
        assert net.batch([]) == []


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return "Z" not in state.stdout


def ends(pid: int) -> bool:
    """Whether a process ends; waits for it, for at most half a minute."""
    for _ in range(300):
        if not is_running(pid):
            return True
        time.sleep(0.1)
    return False
