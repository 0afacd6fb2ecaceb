"""What a configuration takes from the catalog: by name, category, kind and chain; and what it says of a wrong word."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.config.protocols import shipped
from indexer.config.schema import BITCOIN
from indexer.errors import ConfigError, UnknownName
from indexer.model import NATIVE
from indexer.run.program import Program, load_program

CHAINS = '[chains.{}]\nendpoints = ["http://127.0.0.1:1"]\n'


def program(folder: Path, select: str, *chains: str, more: str = "") -> Program:
    config = folder / "config.toml"
    config.write_text("".join(CHAINS.format(chain) for chain in chains or ("base", "polygon")) + select + more)
    return load_program(config)


def keys(found: Program) -> set[str]:
    return {deployment.key for deployment in found.deployments}


def rows(**wanted: str) -> set[str]:
    return {row.key for row in shipped() if all(getattr(row, part) == value for part, value in wanted.items())}


def told(folder: Path, select: str, *chains: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        program(folder, select, *chains)
    return caught.value.message.splitlines()[1:]


def test_nothing_is_read_that_was_not_asked_for(tmp_path: Path) -> None:
    assert program(tmp_path, "").deployments == []
    assert program(tmp_path, '[select]\nexcept = ["aave-v3"]\n').deployments == []


def test_a_protocol_is_read_on_the_chains_of_the_file_only(tmp_path: Path) -> None:
    found = program(tmp_path, '[select]\nprotocols = ["aave-v3"]\n')
    assert keys(found) == rows(name="aave-v3", chain="base") | rows(name="aave-v3", chain="polygon")
    assert len(keys(found)) == 2


def test_a_deployment_can_be_named_alone(tmp_path: Path) -> None:
    found = program(tmp_path, '[select]\nprotocols = ["aave-v3@polygon", "sushiswap@polygon"]\n')
    assert "aave-v3@base" not in keys(found)
    assert {"aave-v3@polygon", "sushiswap@polygon"} <= keys(found)


def test_categories_and_kinds_add_to_the_protocols_and_chains_limit_them_all(tmp_path: Path) -> None:
    select = '[select]\nprotocols = ["aave-v3"]\ncategories = ["dex"]\nkinds = ["erc4626"]\nchains = ["base"]\n'
    found = keys(program(tmp_path, select))
    dex, vaults = rows(category="dex", chain="base"), rows(kind="erc4626", chain="base")
    assert found == {"aave-v3@base"} | dex | vaults
    assert min(len(dex), len(vaults)) > 10


def test_a_chain_alone_means_all_that_is_on_it_but_what_is_excepted(tmp_path: Path) -> None:
    everything = keys(program(tmp_path, '[select]\nchains = ["gnosis"]\n', "gnosis", "base"))
    assert everything == rows(chain="gnosis")
    fewer = keys(program(tmp_path, '[select]\nchains = ["gnosis"]\nexcept = ["aave-v3"]\n', "gnosis"))
    assert everything - fewer == rows(name="aave-v3", chain="gnosis") != set()


def test_a_row_of_the_file_stands_in_place_of_the_catalogs(tmp_path: Path) -> None:
    own = """
[[protocols]]
name = "aave-v3"
chain = "polygon"
label = "mine"
kind = "aave_v3"
pool = "0x794a61358D6845594F94dc1DB02A252b5b4814aD"
"""
    found = program(tmp_path, '[select]\nprotocols = ["aave-v3"]\n', more=own)
    assert keys(found) == {"aave-v3@base", "aave-v3@polygon#mine"}


def test_a_wrong_word_is_told_with_its_line_and_what_may_have_been_meant(tmp_path: Path) -> None:
    select = """[select]
protocols = [
    "aave-v3",
    "aave-v33",
]
categories = ["dexes"]
kinds = ["erc4627"]
chains = ["bse"]
except = ["sushiswop"]
"""
    lines = told(tmp_path, select)
    assert [line.partition(":")[0].strip() for line in lines] == ["line 6", "line 10", "line 11", "line 12", "line 13"]
    assert "select.protocols[1]: no protocol of the catalog is named 'aave-v33'; did you mean 'aave-v3'" in lines[0]
    assert "select.categories[0]: no category is named 'dexes'; did you mean 'dex'?" in lines[1]
    assert "select.kinds[0]: no kind of the catalog is named 'erc4627'; did you mean 'erc4626'?" in lines[2]
    assert "select.chains[0]: no chain of this file is named 'bse'; did you mean 'base'?" in lines[3]
    assert "did you mean 'sushiswap'" in lines[4]


def test_a_protocol_on_none_of_the_chains_is_an_error_that_names_its_chains(tmp_path: Path) -> None:
    (line,) = told(tmp_path, '[select]\nprotocols = ["1bch"]\n')
    assert line.endswith("'1bch' is on smartbch, of which none is in use here")


def test_a_protocol_of_the_catalog_that_is_not_taken_is_answered_with_how_to_take_it(tmp_path: Path) -> None:
    found = program(tmp_path, '[select]\nprotocols = ["aave-v3"]\n')
    with pytest.raises(UnknownName, match="did you mean 'aave-v3'") as near:
        found.select(["aave-v33"])
    assert "[select]" not in near.value.next_step
    with pytest.raises(UnknownName, match="no protocol 'lido' in the configuration; there are: aave-v3") as told:
        found.select(["aave-v3", "lido"])
    assert told.value.next_step.startswith('The catalog has it: `protocols = ["lido"]` under [select]')


def test_an_unknown_key_and_a_word_in_place_of_a_list_are_errors(tmp_path: Path) -> None:
    assert (
        "line 6: select.slugs: unknown key; check its spelling" in told(tmp_path, '[select]\nslugs = ["aave-v3"]\n')[0]
    )
    assert "line 6: select.protocols" in told(tmp_path, '[select]\nprotocols = "aave-v3"\n')[0]


def test_an_error_does_not_repeat_what_moves_a_cursor(tmp_path: Path) -> None:
    (line,) = told(tmp_path, '[select]\nprotocols = ["\\u001b[2Jaave-v3"]\n')
    assert "\x1b" not in line


def test_priced_stands_for_every_token_that_has_a_route(tmp_path: Path) -> None:
    own = """
[tokens.base.MINE]
address = "0x00000000000000000000000000000000000000AA"
routes = [{ kind = "fixed", price = "1" }]
[tokens.base.YOURS]
address = "0x00000000000000000000000000000000000000bb"
[[protocols]]
name = "somebody"
chain = "base"
kind = "token_balances"
owners = ["0x794a61358D6845594F94dc1DB02A252b5b4814aD"]
tokens = "priced"
exclude = ["0x00000000000000000000000000000000000000aa"]
"""
    (found,) = program(tmp_path, "", "base", more=own).deployments
    tokens = found.params.model_dump()["tokens"]
    assert {NATIVE, "0x00000000000000000000000000000000000000aa"} <= set(tokens)
    assert not {BITCOIN, "0x00000000000000000000000000000000000000bb"} & set(tokens)
    assert len(tokens) == len(set(tokens)) > 60


def test_priced_on_a_chain_without_prices_is_an_error_with_its_line(tmp_path: Path) -> None:
    own = """[[protocols]]
name = "x"
chain = "telos"
kind = "token_balances"
owners = ["0x794a61358D6845594F94dc1DB02A252b5b4814aD"]
tokens = "priced"
"""
    (line,) = told(tmp_path, own, "telos")
    assert "line 3: protocols[0]" in line
    assert "no token to ask for" in line
