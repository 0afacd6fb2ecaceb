"""Whatever goes wrong, the key in an endpoint's URL stays where it is: no verb prints it, the store never has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.shell import tvl, tvl_until

pytestmark = pytest.mark.slow

ASKING = [
    ("check",),
    ("check", "savings", "--json"),
    ("backfill", "--from", "-1d", "--dry"),
    ("backfill", "--from", "1", "--to", "2", "--every", "1"),
]
NOT_ASKING = [("check", "nothing"), ("status",), ("show", "savings")]


class Hostile(BaseHTTPRequestHandler):
    """An endpoint whose every answer quotes the URL it was asked at."""

    status = 401

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        text = f"invalid key CANARYKEY1 in https://user:CANARYPW2@{self.headers['Host']}{self.path}"
        answer = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": text}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture(params=[401, 500, 200])
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """A hostile endpoint's host and port."""
    handler = type("Answering", (Hostile,), {"status": request.param})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def configure(folder: Path, host: str) -> Path:
    """A chain with one endpoint, whose URL is secret in three places."""
    file = folder / "config.toml"
    file.write_text(f"""\
[chains.ethereum]
endpoints = ["http://user:CANARYPW2@{host}/v3/CANARYKEY1?apikey=CANARYKEY3"]
timeout_s = 2
[[protocols]]
name = "savings"
chain = "ethereum"
kind = "erc4626"
vaults = ["0x83F20F44975D03b1b09e64809B757c47f942BEeA"]
""")
    return file


@pytest.mark.parametrize("verb", ASKING, ids=" ".join)
def test_no_verb_prints_the_key_of_an_endpoint_that_quotes_it(tmp_path: Path, host: str, verb: tuple[str, ...]) -> None:
    config = configure(tmp_path, host)
    done = tvl(config, "-v", *verb)
    assert "CANARY" not in done.stdout + done.stderr
    assert done.returncode in (0, 1, 2, 3)
    assert not leaked(tmp_path)


def test_the_daemon_does_not_either(tmp_path: Path, host: str) -> None:
    config = configure(tmp_path, host)
    done = tvl_until("attempt", config, "-v", "--log-format", "json", "run")
    assert "CANARY" not in done.stdout + done.stderr
    assert "starting" in done.stderr
    assert done.returncode == 0
    assert not leaked(tmp_path)


@pytest.mark.parametrize("verb", [*ASKING[:2], *NOT_ASKING], ids=" ".join)
def test_nor_where_nobody_answers(tmp_path: Path, verb: tuple[str, ...]) -> None:
    done = tvl(configure(tmp_path, "127.0.0.1:9"), "-v", *verb)
    assert "CANARY" not in done.stdout + done.stderr
    assert done.returncode in (0, 1, 2, 3)


def test_nor_where_the_url_is_none(tmp_path: Path) -> None:
    config = configure(tmp_path, "host")
    config.write_text(config.read_text().replace("http://user", "htp:/user"))
    done = tvl(config, "-v", "check")
    assert "CANARY" not in done.stdout + done.stderr
    assert done.returncode == 2


def leaked(folder: Path) -> list[Path]:
    """Files other than the configuration that have the key."""
    return [file for file in folder.iterdir() if file.name != "config.toml" and b"CANARY" in file.read_bytes()]
