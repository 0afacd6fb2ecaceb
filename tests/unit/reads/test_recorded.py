"""What is recorded answers again, without a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from indexer.model import Address, BlockRef, Hash, Status
from indexer.reads.abi import function
from indexer.reads.plan import Ask, Call, Failed, Log, LogQuery, NativeBalance, Plan
from indexer.reads.recorded import NotRecorded, Recorder, Replay
from indexer.reads.rounds import rounds
from indexer.reads.source import Key, Raw

AT = BlockRef(100, Hash("0x" + "aa" * 32), Hash("0x" + "99" * 32), 1_700_000_000)
OWNER = Address("0x" + "12" * 20)
TOTAL = function("totalAssets()(uint256)")
BROKEN = function("broken()(uint256)")
TOPIC = Hash("0x" + "dd" * 32)
QUERY = LogQuery((OWNER,), (None, (TOPIC,)), 1, 100)
LOG = Log(OWNER, (TOPIC, TOPIC), b"\x01\x02", 50, Hash("0x" + "bb" * 32), Hash("0x" + "cc" * 32), 3)


class Once:
    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        return [self._answer(ask) for ask in questions.values()]

    def _answer(self, ask: Ask) -> Raw:
        if isinstance(ask, Call):
            return (2**255).to_bytes(32, "big") if ask.function is TOTAL else Failed(Status.HELD, "reverted: no")
        return 10**30 if isinstance(ask, NativeBalance) else [LOG]


def plan() -> Plan[Sequence[object]]:
    answers = yield [TOTAL(OWNER), BROKEN(OWNER), NativeBalance(OWNER), QUERY]
    return answers


@pytest.mark.parametrize("name", ["reads.json", "reads.json.gz"])
async def test_a_recording_answers_as_the_source_did(tmp_path: Path, name: str) -> None:
    recorder = Recorder(Once(), chain_id=1)
    live = await rounds(recorder, {"": plan()}, AT)
    recorder.save(tmp_path / name)
    replay = Replay.load(tmp_path / name)
    assert replay.chain_id == 1
    assert replay.blocks == [AT]
    assert (
        await rounds(replay, {"": plan()}, AT)
        == live
        == {"": [2**255, Failed(Status.HELD, "reverted: no"), 10**30, [LOG]]}
    )


async def test_the_same_reads_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.json.gz"):
        recorder = Recorder(Once(), chain_id=1)
        await rounds(recorder, {"": plan()}, AT)
        recorder.save(tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


async def test_a_question_that_was_not_recorded_is_named() -> None:
    replay = Replay(1, {AT: {}})
    with pytest.raises(NotRecorded, match=f"totalAssets of {OWNER}"):
        await rounds(replay, {"": plan()}, AT)
    with pytest.raises(NotRecorded, match="does not hold block 100"):
        await Replay(1, {}).fetch({}, AT)


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(ValueError, match="no recording"):
        Replay.load(tmp_path / "x.json")
