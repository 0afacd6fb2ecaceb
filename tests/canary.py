"""A pytest plugin: no key of an endpoint may be in what the suite prints, logs, raises or leaves on the disk.

Every `FaultProxy` has a key of its own in its URL, made when it is started. A test whose captured output, traceback or
temporary files hold one fails; so does the session for files of wider fixtures. Configurations (`*.toml`) may hold it.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

KEY = r"CANARY-[0-9a-f]{16}"
_TEXT, _BYTES = re.compile(KEY), re.compile(KEY.encode())


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.has_plugin("canary"):
        config.pluginmanager.register(Canary(config), "canary")


class Canary:
    """Looks for keys after each phase of a test, and once more at the end over all that was left on the disk."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._leaks: list[Path] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        places = leaks_of(report)
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if report.when == "teardown" and folder is not None:
            places += [f"the file {path.name}" for path in leaking_files(folder)]
        if places:
            report.outcome = "failed"
            report.longrepr = f"the key of an endpoint is in {', '.join(places)}\n{redacted(report.longreprtext)}"
            report.sections = [(title, redacted(text)) for title, text in report.sections]
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The controller of several workers sees the files of all of them below its own folder."""
        factory: Any = getattr(self._config, "_tmp_path_factory", None)
        if factory is None or factory._basetemp is None or hasattr(self._config, "workerinput"):
            return
        self._leaks = list(leaking_files(factory.getbasetemp()))
        if self._leaks and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for path in self._leaks:
            terminalreporter.write_line(f"the key of an endpoint is in {path}", red=True)


def leaks_of(report: pytest.TestReport) -> list[str]:
    """Where in a report a key is: in its traceback, or in a captured stream."""
    places = ["the traceback"] if _TEXT.search(report.longreprtext) else []
    return places + [title.lower() for title, text in report.sections if _TEXT.search(text)]


def leaking_files(folder: Path) -> Iterator[Path]:
    """Files at any depth that hold a key, but for configurations."""
    for path in sorted(folder.rglob("*")):
        if path.suffix != ".toml" and path.is_file() and not path.is_symlink() and _holds_key(path):
            yield path


def redacted(text: str) -> str:
    """The text without any key, so that the report of a leak is not another one."""
    return _TEXT.sub("CANARY-…", text)


def _holds_key(path: Path) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _BYTES.search(content) is not None
