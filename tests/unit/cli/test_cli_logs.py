"""Log lines: JSON in a pipe, clean, without secrets, whoever wrote them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from indexer.cli.logs import LEVELS, open_log
from indexer.cli.progress import Lines
from indexer.config.redact import Redactor


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    structlog.reset_defaults()
    root.setLevel(level)
    root.handlers[:] = handlers


def test_a_line_in_a_pipe_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    open_log(None, LEVELS["info"], Redactor()).info("snapshot", block=7, nothing=None, reasons=("a", "b"))
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["block"], line["reasons"], line["level"]) == ("snapshot", 7, ["a", "b"], "info")
    assert "nothing" not in line
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["json", "console"])
def test_foreign_text_is_cleaned_and_cut(capsys: pytest.CaptureFixture[str], form: str) -> None:
    open_log(form, LEVELS["info"], Redactor()).info("x", token="\x1b[2J\n\u202e" + "a" * 10_000)
    printed = capsys.readouterr().err
    assert "\x1b[2J" not in printed
    assert "\u202e" not in printed
    assert len(printed.splitlines()) == 1
    assert len(printed) < 1_000


def test_secrets_are_taken_out_of_keys_values_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    log = open_log("json", LEVELS["info"], Redactor())
    try:
        raise RuntimeError("https://u:CANARY@host/CANARY")
    except RuntimeError:
        log.exception("failed", urls={"https://h/CANARY": ["https://h/CANARY"]}, error=ValueError("ws://h/CANARY"))
    printed = capsys.readouterr().err
    assert "CANARY" not in printed
    assert "RuntimeError" in printed


def test_what_libraries_log_goes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    open_log("json", LEVELS["info"], Redactor())
    logging.getLogger("aiohttp").warning("lost %s", "https://h/CANARY")
    logging.getLogger("alembic").info("not for everybody")
    structlog.get_logger("indexer.store").warning("sqlite_is_old")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["lost https://h/…", "sqlite_is_old"]
    assert lines[0]["logger"] == "aiohttp"


def test_a_log_keeps_its_level_when_another_is_opened(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = open_log("json", LEVELS["warning"], Redactor())
    open_log("json", LEVELS["info"], Redactor()).info("told")
    quiet.info("not told")
    quiet.bind(chain="x").info("not told either")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["told"]


def test_progress_in_a_pipe_is_told_now_and_then_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(open_log("json", LEVELS["info"], Redactor()), every_s=3600)
    lines.begin("ethereum", 3)
    for _ in range(3):
        lines.step("ethereum")
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["part"], told["done"], told["total"], told["eta_s"]) == (
        "progress",
        "ethereum",
        3,
        3,
        0,
    )
