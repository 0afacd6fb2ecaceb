"""What the benchmarks read: a made-up chain of pairs, pools, vaults and feeds, in any number.

An address says what stands at it, so that the replaying server needs no list of them. Half of the pools hold a token
of their own that has no price, as on a real chain; the other tokens have a feed each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from indexer.model import Address

CHAIN_ID = 1
MULTICALL3 = Address("0xca11bde05977b3631167028862be2a173976ca11")
PRICED_TOKENS = 50
GENESIS_TIMESTAMP = 1_700_000_000
BLOCK_TIME_S = 12


class Kind(IntEnum):
    """What stands at an address: its first byte."""

    TOKEN = 1
    FEED = 2
    PAIR = 3
    POOL = 4
    VAULT = 5
    FACTORY = 6


@dataclass(frozen=True, slots=True)
class Load:
    """How many contracts of each kind are read. Feeds price the first tokens, 50 at most."""

    pairs: int = 1_000
    pools: int = 200
    vaults: int = 100
    feeds: int = PRICED_TOKENS

    def addresses(self, kind: Kind) -> list[Address]:
        """The contracts of a kind that are read."""
        return [address(kind, i) for i in range(getattr(self, f"{kind.name.lower()}s"))]


LARGE = Load()
CONTRACTS = LARGE.pairs + LARGE.pools + LARGE.vaults
SMALL = Load(pairs=10, pools=10, vaults=5, feeds=10)


def scaled(contracts: int) -> Load:
    """The large load's proportions of pairs, pools and vaults, with so many contracts."""
    return Load(pairs=contracts * 10 // 13, pools=contracts * 2 // 13, vaults=contracts // 13)


def address(kind: Kind, index: int) -> Address:
    """Where the contract of that kind and number stands."""
    place = f"{kind:02x}{index:08x}"
    return Address("0x" + place + hashlib.sha256(place.encode()).hexdigest()[:30])


def factory_of(pairs: int) -> Address:
    """Where a factory of so many pairs stands."""
    return address(Kind.FACTORY, pairs)


def place_of(target: bytes) -> tuple[Kind, int]:
    """Kind and number of an address of 20 bytes. Raises ValueError for one that is not of this chain."""
    return Kind(target[0]), int.from_bytes(target[1:5], "big")


def two_tokens(kind: Kind, index: int) -> tuple[int, int]:
    """The numbers of a pool's tokens: the second is priced in every second pool."""
    first = index % PRICED_TOKENS
    if index % 2:
        return first, PRICED_TOKENS + kind * 1_000_000 + index
    return first, (first + 1 + index // PRICED_TOKENS) % PRICED_TOKENS


def configuration(load: Load, url: str, store: str) -> str:
    """TOML that reads the load from one endpoint into a store. V2 pairs are read twice: reserves, and balances."""
    pairs = load.addresses(Kind.PAIR)
    chain = f"""
[store]
url = "{store}"
[chains.replayed]
chain_id = {CHAIN_ID}
endpoints = ["{url}"]
native = {{ symbol = "ETH", decimals = 18 }}
multicall3 = {{ address = "{MULTICALL3}", first_block = 1 }}
finality = {{ tags = false, depth = 1 }}
block_time_s = {BLOCK_TIME_S}
every = "block"
ledger = false
"""
    protocols = [
        _protocol("reserves", "uniswap_v2", pairs=pairs),
        _protocol("balances", "uniswap_v2", pairs=pairs) + 'amounts = "balances"\n',
        _protocol("pools", "uniswap_v3", pools=load.addresses(Kind.POOL)),
        _protocol("vaults", "erc4626", vaults=load.addresses(Kind.VAULT)),
    ]
    return "".join([chain, *(_priced(i) for i in range(load.feeds)), *protocols])


def _priced(index: int) -> str:
    return f"""
[feeds.replayed."T{index}/USD"]
address = "{address(Kind.FEED, index)}"
decimals = 8
heartbeat_s = 3600
deviation_bps = 50
[tokens.replayed.T{index}]
address = "{address(Kind.TOKEN, index)}"
routes = [{{ kind = "chainlink", feed = "T{index}/USD" }}]
"""


def _protocol(name: str, kind: str, **listed: Iterable[Address]) -> str:
    lists = "".join(f"{key} = [{', '.join(repr(one) for one in addresses)}]\n" for key, addresses in listed.items())
    return f'\n[[protocols]]\nname = "{name}"\nchain = "replayed"\nkind = "{kind}"\n{lists}'
