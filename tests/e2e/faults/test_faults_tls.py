"""F12: TLS that cannot be trusted, through the whole daemon and `tvl check`, with real certificates on loopback."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from devnet.proxy import FaultProxy
from tests.e2e.faults.trial import World, configure, prepared, running
from tests.e2e.support import command

pytestmark = pytest.mark.anvil

OURS = "127.0.0.1"


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server whose certificate nobody but itself has signed."""
    itself = trustme.CA()
    itself.cert_pem.write_to_path(str(folder / "self.pem"))
    itself.private_key_pem.write_to_path(str(folder / "self.key"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self.pem", folder / "self.key")
    return context


def signed(folder: Path, *, days: int = 2, name: str = OURS) -> ssl.SSLContext:
    """A certificate of an authority of our own, `ca.pem`; with days below zero it has expired."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    ends = datetime.now(UTC) + timedelta(days=days)
    leaf = authority.issue_cert(name, not_after=ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


async def test_an_endpoint_with_a_self_signed_certificate_is_told_once_and_passed_over(
    world: World, tmp_path: Path
) -> None:
    async with prepared(world, 2, over_tls=[self_signed(tmp_path)]) as trial, running(trial):
        await trial.arrived()
        await trial.trade(3)
        await trial.arrived()
        (told,) = trial.heard("endpoint trouble", trouble="tls")
        assert "its TLS certificate is self-signed" in told["text"]
        assert "SSL_CERT_FILE" in told["text"]
        assert trial.proxies[0].posts == 0, "nothing was sent without knowing to whom"
        assert trial.tells_no_key()
        await trial.same_as_without()


async def test_an_endpoint_that_speaks_http_under_an_https_url_is_passed_over(world: World) -> None:
    async with FaultProxy(world.net.url) as plain:
        wrong = plain.url.replace("http://", "https://")
        async with prepared(world, before=[wrong]) as trial, running(trial):
            await trial.arrived()
            await trial.trade(2)
            await trial.arrived()
            (told,) = trial.heard("endpoint trouble", trouble="tls")
            assert "speak http" in told["text"]
            await trial.same_as_without()


async def check(world: World, folder: Path, tls: ssl.SSLContext) -> str:
    """What `tvl check` says of one endpoint over TLS, where our authority is trusted."""
    async with FaultProxy(world.net.url, tls=tls) as proxy:
        config = configure(world, [proxy.url], str)
        environment = os.environ | {"SSL_CERT_FILE": str(folder / "ca.pem")}
        told = await asyncio.to_thread(
            lambda: subprocess.run(
                command(config, "check"), capture_output=True, text=True, env=environment, timeout=60, check=False
            )
        )
        assert proxy.key not in told.stdout + told.stderr
    return " ".join((told.stdout + told.stderr).split())


async def test_the_certificate_of_an_authority_that_is_trusted_by_the_environment_is_good(
    world: World, tmp_path: Path
) -> None:
    assert "certificate" not in (told := await check(world, tmp_path, signed(tmp_path)))
    assert f"block {world.net.block_number()}" in told


@pytest.mark.parametrize(
    ("days", "name", "what"),
    [(-1, OURS, "has expired"), (2, "127.0.0.2", "is of another address"), (2, "a.example", "is of another")],
    ids=["expired", "another address", "another host"],
)
async def test_check_says_what_is_wrong_with_a_certificate_and_what_to_do(
    days: int, name: str, what: str, world: World, tmp_path: Path
) -> None:
    told = await check(world, tmp_path, signed(tmp_path, days=days, name=name))
    assert f"its TLS certificate {what}" in told
    assert "Renew the endpoint's certificate" in told
