"""No URL leaves with what opens it."""

from __future__ import annotations

import sys

import click
import pytest

from indexer.cli.redact import redacted_output
from indexer.config.redact import Redactor, secret_pieces

URL = "https://user:CANARY1@rpc.example.com/v3/CANARYKEY2?key=CANARY3"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"cannot reach {URL}", "cannot reach https://rpc.example.com/…"),
        (f"'{URL}': refused", "'https://rpc.example.com/…': refused"),
        ("wss://h:8545/CANARY", "wss://h:8545/…"),
        ("http://[::1]:8545/CANARY", "http://[::1]:8545/…"),
        ("HTTPS://user:CANARY@HOST/", "HTTPS://HOST"),
        ("https://a:CANARY/b@host/", "https://…/…"),
        ("postgresql+asyncpg://user:CANARY@db/tvl", "postgresql+asyncpg://db/…"),
        ("sqlite:///data/tvl.db", "sqlite:///data/tvl.db"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("no URL at all: 5 // 3", "no URL at all: 5 // 3"),
    ],
)
def test_of_a_url_only_scheme_host_and_port_are_left(text: str, shown: str) -> None:
    assert Redactor()(text) == shown


def test_a_hidden_urls_pieces_are_found_without_the_url() -> None:
    redact = Redactor()
    redact.hide(URL)
    told = redact("key CANARYKEY2 of user refused; CANARY1, CANARY3")
    assert told == "key … of user refused; …, …"


def test_plain_words_of_a_path_are_not_secrets() -> None:
    assert secret_pieces("https://rpc.example.com/ethereum/mainnet/v2") == set()


def test_a_password_is_hidden_in_both_spellings() -> None:
    assert secret_pieces("https://u:p%40ss@h/") == {"p%40ss", "p@ss"}


def test_whatever_is_printed_passes_the_redactor(capsys: pytest.CaptureFixture[str]) -> None:
    redact = Redactor()
    redact.hide(URL)
    with redacted_output(redact):
        click.echo("key CANARYKEY2")
        click.echo(f"asked {URL}", err=True)
        assert not sys.stdout.isatty()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("key …\n", "asked https://rpc.example.com/…\n")
