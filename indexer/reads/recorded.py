"""Reads -> a JSON file, and the file -> the same reads without a node: for golden tests, demonstrations and audits.

The file (gzipped where its name ends in `.gz`) is
`{"format": 1, "chain_id": 1, "blocks": [{"block": {number, hash, parent_hash, timestamp}, "calls": [...],
"balances": [...], "logs": [...]}]}`. A call is `{"to", "data", "asks", "answer"}` (`asks` names the function, for
people), a balance `{"owner", "answer"}` with wei as text, a log query has its four fields and an `answer` of logs. In
place of `answer` stands `failed: {status, reason}` where there was none.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from indexer.errors import Permanent
from indexer.model import Address, BlockRef, Hash, Status
from indexer.reads.plan import Ask, Call, Failed, Lent, Log, LogQuery, NativeBalance
from indexer.reads.source import Key, Raw, Source

FORMAT = 1

Json = dict[str, Any]
Answers = dict[Key, tuple[str, Raw]]
"""By question: its function's name, and the raw answer."""


class NotRecorded(Permanent):
    """The recording holds no answer to this question."""

    hint = "Record it again: what is asked has changed since."


@dataclass(slots=True)
class Recorder:
    """A source that keeps what another one answers."""

    source: Source
    chain_id: int
    blocks: dict[BlockRef, Answers] = field(default_factory=dict)

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        raws = await self.source.fetch(questions, at)
        kept = self.blocks.setdefault(at, {})
        for (key, ask), raw in zip(questions.items(), raws, strict=True):
            kept[key] = (ask.function.name if isinstance(ask, Call) else "", raw)
        return raws

    def save(self, path: Path) -> None:
        """Write everything recorded so far. The same reads give the same bytes."""
        blocks = [_block_to_json(at, self.blocks[at]) for at in sorted(self.blocks, key=lambda at: at.number)]
        text = orjson.dumps(
            {"format": FORMAT, "chain_id": self.chain_id, "blocks": blocks},
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )
        path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


class Replay:
    """A source that answers from a recording. `blocks` are those it holds, in order."""

    def __init__(self, chain_id: int, blocks: Mapping[BlockRef, Answers]) -> None:
        self.chain_id = chain_id
        self._answers = dict(blocks)

    @classmethod
    def load(cls, path: Path) -> Replay:
        """Raises ValueError for a file that is no recording."""
        content = path.read_bytes()
        recording = orjson.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        if not isinstance(recording, dict) or recording.get("format") != FORMAT:
            raise ValueError(f"{path.name} is no recording of format {FORMAT}")
        return cls(recording["chain_id"], dict(map(_block_of_json, recording["blocks"])))

    @property
    def blocks(self) -> list[BlockRef]:
        return list(self._answers)

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        """Raises NotRecorded for a block or a question that the recording does not hold."""
        if at not in self._answers:
            raise NotRecorded(f"the recording does not hold block {at}")
        answers = self._answers[at]
        for key, ask in questions.items():
            if key not in answers:
                raise NotRecorded(f"the recording holds no answer to: {ask}", block=at)
        return [answers[key][1] for key in questions]


def _block_to_json(at: BlockRef, answers: Answers) -> Json:
    def of(kind: type) -> Iterable[tuple[Any, str, Raw]]:
        return ((key, name, raw) for key, (name, raw) in answers.items() if isinstance(key, kind))

    return {
        "block": asdict(at),
        "calls": [
            {"to": key[0], "data": _hex(key[1]), "asks": name, **_answer_to_json(raw)} for key, name, raw in of(tuple)
        ],
        "balances": [{"owner": key.owner, **_answer_to_json(raw)} for key, _, raw in of(NativeBalance)],
        "logs": [{**asdict(key), **_answer_to_json(raw)} for key, _, raw in of(LogQuery)],
    }


def _answer_to_json(raw: Raw) -> Json:
    if isinstance(raw, Failed):
        return {"failed": {"status": raw.status.value, "reason": raw.reason}}
    if isinstance(raw, bytes):
        return {"answer": _hex(raw)}
    if isinstance(raw, int):
        return {"answer": str(raw)}
    if isinstance(raw, Lent):
        raise TypeError("a recording is of one chain: the price of another has no place in it")
    return {"answer": [{**log._asdict(), "data": _hex(log.data)} for log in raw]}


def _block_of_json(entry: Json) -> tuple[BlockRef, Answers]:
    answers: Answers = {}
    for call in entry["calls"]:
        answers[(Address(call["to"]), _bytes(call["data"]))] = (call["asks"], _failed(call) or _bytes(call["answer"]))
    for balance in entry["balances"]:
        answers[NativeBalance(Address(balance["owner"]))] = ("", _failed(balance) or int(balance["answer"]))
    for query in entry["logs"]:
        answers[_query_of_json(query)] = ("", _failed(query) or [_log_of_json(log) for log in query["answer"]])
    return BlockRef(**entry["block"]), answers


def _failed(entry: Json) -> Failed | None:
    failed = entry.get("failed")
    return Failed(Status(failed["status"]), failed["reason"]) if failed else None


def _query_of_json(entry: Json) -> LogQuery:
    topics = tuple(None if position is None else tuple(position) for position in entry["topics"])
    return LogQuery(tuple(entry["addresses"]), topics, entry["from_block"], entry["to_block"])


def _log_of_json(entry: Json) -> Log:
    topics = tuple(Hash(topic) for topic in entry["topics"])
    return Log(**{**entry, "topics": topics, "data": _bytes(entry["data"])})


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
