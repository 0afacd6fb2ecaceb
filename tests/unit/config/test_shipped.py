"""What ships works as it is: the configuration at the top, and every row of the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.config.load import catalog
from indexer.errors import ConfigError
from indexer.run.program import load_program

TOP = Path(__file__).parents[3] / "config.toml"
CHAINS = ("ethereum", "arbitrum", "optimism", "base", "polygon", "bnb", "avalanche")


def test_the_configuration_at_the_top_reads_at_least_ten_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETH_RPC_URL", "http://127.0.0.1:1/key")
    program = load_program(TOP)
    assert len({deployment.protocol for deployment in program.deployments}) >= 10
    assert {deployment.adapter.kind for deployment in program.deployments} == {
        "aave_v3",
        "erc4626",
        "token_balances",
        "uniswap_v2",
        "uniswap_v3",
    }


def test_without_an_endpoint_it_says_which_variable_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETH_RPC_URL", raising=False)
    with pytest.raises(ConfigError, match="ETH_RPC_URL is not set"):
        load_program(TOP)


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_of_the_catalog_needs_nothing_but_an_endpoint(chain: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[chains.{chain}]\nendpoints = ["http://127.0.0.1:1"]\n')
    settings = load_program(config).chains[chain].settings
    assert settings.multicall3 is not None
    assert settings.native.wrapped is not None
    assert settings.chain_id == catalog("chains")[chain]["chain_id"]


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        "\n".join(
            [
                "[chains.ethereum]",
                'endpoints = ["http://127.0.0.1:1"]',
                'colour = "red"',
                "[[protocols]]",
                'name = "one"',
                'chain = "ethereum"',
                'kind = "uniswap_v2"',
                'factory = "0x5c69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f"',
                "[[protocols]]",
                'name = "two"',
                'chain = "nowhere"',
                'kind = "uniswap_v9"',
            ]
        )
    )
    with pytest.raises(ConfigError) as told:
        load_program(config)
    assert "line 3: chains.ethereum.colour: unknown key" in str(told.value)
    config.write_text(config.read_text().replace('colour = "red"\n', ""))
    with pytest.raises(ConfigError) as told:
        load_program(config)
    assert "line 7: protocols[0].factory: wrong checksum" in str(told.value)
    assert "line 10: protocols[1].chain: no [chains.nowhere]" in str(told.value)
    assert "line 11: protocols[1].kind: no kind 'uniswap_v9'" in str(told.value)
