"""`tvl init`: a first configuration, with a word on each part of it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from indexer.cli.failing import USAGE, Told
from indexer.cli.options import CONFIG_NAME, Options, Verb

TEMPLATE = """\
# What tvl-indexer follows. Everything here is checked by `tvl check`; unknown keys are errors.

# Where snapshots are kept. A relative path is relative to this file.
[store]
url = "sqlite:///tvl.db"

# A chain by its name in the shipped catalog: ethereum, arbitrum, optimism, base, polygon, bnb, avalanche and many more.
# Of these seven, the catalog also brings price feeds and tokens. ${NAME} is taken from the environment: keep keys out
# of this file.
[chains.ethereum]
endpoints = ["${RPC_URL}"] # several endpoints share the work and stand in for each other
every = "5m" # a snapshot of each protocol: "5m" of block time, or "100 blocks"

# Protocols of the shipped catalog, by name, category, kind or chain. `tvl protocols` lists and searches them.
# [select]
# protocols = ["compound-v3", "sparklend"]
# categories = ["savings"]

# A protocol is a row. `kind` says how it is read, and which keys belong to it.
# vaults: sparkdotfi/spark-address-registry src/Ethereum.sol; bgd-labs/aave-address-book src/AaveV3Ethereum.sol
[[protocols]]
name = "sky-savings"
category = "savings"
chain = "ethereum"
kind = "erc4626"
vaults = [
    "0x83F20F44975D03b1b09e64809B757c47f942BEeA", # sDAI
    "0xa3931d71877C0E7a3148CB7Eb4463524FEc27fbD", # sUSDS
]

# pool: bgd-labs/aave-address-book src/AaveV3Ethereum.sol
# first_block: messari/subgraphs aave-v3-ethereum/configurations.json
[[protocols]]
name = "aave-v3"
category = "lending"
chain = "ethereum"
kind = "aave_v3"
first_block = 16291127 # before it, the protocol is not there
pool = "0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2"

# A fork of Uniswap V2: its `factory` (every pair), or the `pairs` that matter. This one counts two pairs of SushiSwap.
# pairs: DefiLlama/DefiLlama-Adapters; rotki/rotki
[[protocols]]
name = "sushiswap"
category = "dex"
chain = "ethereum"
kind = "uniswap_v2"
pairs = [
    "0x397FF1542f962076d0BFE58eA045FfA2d347ACa0", # USDC/WETH
    "0x06da0fd433C1A5d7a4faa01111c044910A184553", # WETH/USDT
]

# A token that the catalog does not price, and its feed. Routes are tried in order.
# [feeds.ethereum."FOO/USD"]
# address = "0x…"
# heartbeat_s = 3600
# deviation_bps = 50
# [tokens.ethereum.FOO]
# address = "0x…"
# routes = [{ kind = "chainlink", feed = "FOO/USD" }]
"""


def _environment_name(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII):
        raise click.BadParameter("give the name of an environment variable, not the URL: keys stay out of the file")
    return value


@click.command("init", cls=Verb)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option(
    "--rpc-env",
    default="ETH_RPC_URL",
    metavar="NAME",
    callback=_environment_name,
    help="The environment variable that holds the endpoint's URL. Default: ETH_RPC_URL.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def init(options: Options, *, file: Path | None, rpc_env: str, force: bool) -> None:
    """Write a commented configuration for three protocols on Ethereum to FILE (default: config.toml).

    The endpoint's URL stays in the environment; the file holds only the variable's name.
    """
    target = file or options.config or Path(CONFIG_NAME)
    _write(target, TEMPLATE.replace("${RPC_URL}", f"${{{rpc_env}}}"), force)
    named = "" if target == Path(CONFIG_NAME) else f" -c {target}"
    click.echo(f"{target} is written. Next:")
    click.echo(f"  export {rpc_env}=https://…        # your Ethereum endpoint")
    for verb, purpose in (("check", "is everything there?"), ("check sky-savings", "read one protocol"), ("run", "")):
        click.echo(f"  tvl{named} {verb}".ljust(36) + (f"# {purpose}" if purpose else ""))


def _write(file: Path, text: str, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise Told(f"{file} is there already", USAGE, "--force replaces it.") from None
    except OSError as error:
        raise Told(f"{file} cannot be written: {error.strerror}", USAGE, "Name another file.") from None
