"""An endpoint's URL never shows more than where it leads, in whatever way it is turned into text."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from typing import Any

import orjson
import pytest

from indexer.config.secret import Secret

KEY = "kEy0123456789abcdef"
URLS = [
    f"https://eth-mainnet.g.alchemy.com/v2/{KEY}",
    f"https://rpc.example.org/?apikey={KEY}",
    f"https://user:{KEY}@node.example.org:8545/",
    f"https://{KEY}.eth.rpc.rivet.cloud/",
    f"wss://mainnet.infura.io/ws/v3/{KEY}",
    f"http://127.0.0.1:8545/{KEY}#{KEY}",
    f"http://localhost:8545/{KEY}",
    f"http://[::1]:8545/{KEY}",
]


@dataclasses.dataclass
class Holder:
    url: Secret


@pytest.mark.parametrize("url", URLS)
def test_no_way_of_showing_a_url_shows_its_key(url: str, caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(url)
    logging.getLogger("test").warning("endpoint %s %r", secret, Holder(secret))
    texts = [
        str(secret),
        repr(secret),
        f"{secret} {secret!r} {secret:>60} {secret!s:.80}",
        "%s %r" % (secret, secret),  # noqa: UP031  one more way
        repr([secret]) + repr({secret: secret}) + repr(Holder(secret)),
        repr(dataclasses.asdict(Holder(secret))),
        pickle.dumps(secret).decode("latin-1"),
        pickle.dumps(Holder(secret)).decode("latin-1"),
        json.dumps({"url": secret}, default=str),
        orjson.dumps({"url": secret}, default=str).decode(),
        secret.label,
        caplog.text,
        _traceback_of(secret),
    ]
    assert KEY not in "\n".join(texts)
    assert KEY.lower() not in "\n".join(texts).lower()
    assert secret.reveal() == url


def _traceback_of(secret: Secret) -> str:
    try:
        raise ValueError(secret)
    except ValueError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(shown.format())


def test_a_label_says_where_it_leads_and_which_one_it_is() -> None:
    one, two = Secret("https://eth.alchemy.com/v2/a"), Secret("https://eth.alchemy.com/v2/b")
    assert one.label.startswith("https://alchemy.com#")
    assert one.label != two.label
    assert one.label == Secret(one.reveal()).label
    assert Secret("http://127.0.0.1:8545").label.startswith("http://127.0.0.1#")


def test_a_copy_is_the_same_and_a_pickle_is_only_the_label() -> None:
    secret = Secret(URLS[0])
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    assert pickle.loads(pickle.dumps(secret)) == secret.label


def test_two_secrets_are_equal_by_their_url() -> None:
    assert Secret(URLS[0]) == Secret(f" {URLS[0]}\n")
    assert len({Secret(URLS[0]), Secret(URLS[0]), Secret(URLS[1])}) == 2
    assert Secret(URLS[0]) != URLS[0]


@pytest.mark.parametrize(
    "text", ["", KEY, f"ftp://host/{KEY}", f"https:///{KEY}", f"http://[{KEY}", f"http://host:{KEY}/", f"//{KEY}"]
)
def test_what_is_no_url_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="expected http") as caught:
        Secret(text)
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_secret_has_no_dictionary_to_look_into() -> None:
    secret: Any = Secret(URLS[0])
    with pytest.raises(TypeError):
        vars(secret)
    with pytest.raises(TypeError):
        secret.__getstate__()
