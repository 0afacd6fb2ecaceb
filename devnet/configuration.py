"""Writes a configuration of the indexer for a devnet: every protocol on it, every feed, one endpoint.
Plain text from addresses: knows nothing of the program that reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devnet.addresses import Addresses, Token
from devnet.traders import FEED_OF

NATIVE = "0x" + "00" * 20
HEARTBEAT_S = 86_400
FINALITY_DEPTH = 8


def configuration(addresses: Addresses, url: str, store: str = "sqlite:///devnet.db", every: str = "block") -> str:
    """TOML for `tvl --config`: all protocols of the chain, read `every` so often."""
    return (
        "\n\n".join([_store(store), _chain(addresses, url, every), *_prices(addresses), *_protocols(addresses)]) + "\n"
    )


def _store(url: str) -> str:
    return f'[store]\nurl = "{url}"'


def _chain(addresses: Addresses, url: str, every: str) -> str:
    weth = addresses.token("WETH")
    return _table(
        "chains.devnet",
        chain_id=str(addresses.chain_id),
        endpoints=_list([url]),
        native=f'{{ symbol = "ETH", decimals = 18, wrapped = "{weth}" }}',
        multicall3=f'{{ address = "{addresses.multicall3}", first_block = 1 }}',
        finality=f"{{ tags = false, depth = {FINALITY_DEPTH} }}",
        block_time_s="1",
        every=f'"{every}"',
    )


def _prices(addresses: Addresses) -> Iterable[str]:
    for name, feed in addresses.feeds.items():
        yield _table(
            f'feeds.devnet."{name}"',
            address=f'"{feed.proxy}"',
            decimals=str(feed.decimals),
            heartbeat_s=str(HEARTBEAT_S),
            deviation_bps="50",
        )
    yield _token("ETH", NATIVE, '{ kind = "chainlink", feed = "ETH/USD" }')
    for symbol, feed_name in FEED_OF.items():
        yield _token(symbol, addresses.token(symbol), f'{{ kind = "chainlink", feed = "{feed_name}" }}')
    for name, vault in addresses.vaults.items():
        yield _token(name, vault.address, f'{{ kind = "erc4626", asset = "{vault.asset}" }}')
    for name, pair in _priced_pairs(addresses.tokens, addresses.uniswap_v2.pairs):
        yield _token(f"UNI-V2-{name}", pair, '{ kind = "uniswap_v2_lp" }')


def _priced_pairs(tokens: Mapping[str, Token], pairs: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name, pair in pairs.items():
        if all(symbol in FEED_OF for symbol in name.split("/")):
            yield name.replace("/", "-"), pair


def _protocols(addresses: Addresses) -> Iterable[str]:
    tokens = [NATIVE, *(addresses.token(symbol) for symbol in FEED_OF)]
    claims = [*addresses.uniswap_v2.pairs.values(), *(vault.address for vault in addresses.vaults.values())]
    yield _protocol("uniswap-v2", "dex", "uniswap_v2", factory=f'"{addresses.uniswap_v2.factory}"')
    yield _protocol("uniswap-v3", "dex", "uniswap_v3", factory=f'"{addresses.uniswap_v3.factory}"')
    yield _protocol("aave-v3", "lending", "aave_v3", pool=f'"{addresses.aave.pool}"')
    vaults = _list(vault.address for vault in addresses.vaults.values())
    yield _protocol("vaults", "yield", "erc4626", vaults=vaults)
    yield _protocol("escrow", "bridge", "token_balances", owners=_list([addresses.escrow]), tokens=_list(tokens))
    yield _protocol("lockers", "farm", "token_balances", owners=_list(addresses.users), tokens=_list(claims))


def _protocol(name: str, category: str, kind: str, **params: str) -> str:
    own = {"name": f'"{name}"', "category": f'"{category}"', "chain": '"devnet"', "kind": f'"{kind}"'}
    return _rows("[[protocols]]", own | params)


def _token(symbol: str, address: str, route: str) -> str:
    return _table(f'tokens.devnet."{symbol}"', address=f'"{address}"', routes=f"[ {route} ]")


def _table(name: str, **rows: str) -> str:
    return _rows(f"[{name}]", rows)


def _rows(header: str, rows: Mapping[str, str]) -> str:
    return "\n".join([header, *(f"{key} = {value}" for key, value in rows.items())])


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"
