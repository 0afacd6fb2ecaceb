"""Where everything stands on a devnet: what `deploy_protocols` returns, and its JSON form.
Addresses are lower-case hex. Never talks to a node."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20."""

    symbol: str
    address: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Feed:
    """A Chainlink proxy (what consumers read) and the aggregator behind it (what emits AnswerUpdated)."""

    proxy: str
    aggregator: str
    decimals: int


@dataclass(frozen=True, slots=True)
class UniswapV2:
    """`pairs` by "SYMBOL/SYMBOL", in the order of the pair's token0 and token1."""

    factory: str
    router: str
    pairs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UniswapV3:
    """`pools` by "SYMBOL/SYMBOL/fee": token0, token1, fee in hundredths of a basis point."""

    factory: str
    position_manager: str
    swap_router: str
    pools: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Vault:
    """An ERC-4626 vault: `asset` is the symbol of what is in it, `decimals` those of its shares."""

    address: str
    asset: str
    asset_address: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Reserve:
    """One Aave reserve: the underlying token and the three tokens that stand for claims and debts on it."""

    underlying: str
    a_token: str
    stable_debt_token: str
    variable_debt_token: str


@dataclass(frozen=True, slots=True)
class AaveV3:
    """An Aave V3 market; `reserves` by symbol of the underlying token."""

    addresses_provider: str
    pool: str
    pool_configurator: str
    acl_manager: str
    oracle: str
    data_provider: str
    treasury: str
    reserves: Mapping[str, Reserve]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Everything on the chain. `ready_block` is the first block at which all of it stands and is funded."""

    chain_id: int
    ready_block: int
    multicall3: str
    deployer: str
    users: tuple[str, ...]
    tokens: Mapping[str, Token]
    hostile_tokens: Mapping[str, str]
    feeds: Mapping[str, Feed]
    uniswap_v2: UniswapV2
    uniswap_v3: UniswapV3
    vaults: Mapping[str, Vault]
    aave: AaveV3
    escrow: str
    custodian: str

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Addresses:
        """The opposite of `to_json`. Raises KeyError or TypeError for anything else."""
        content: dict[str, Any] = json.loads(text)
        content["users"] = tuple(content["users"])
        content["tokens"] = _each(Token, content["tokens"])
        content["feeds"] = _each(Feed, content["feeds"])
        content["vaults"] = _each(Vault, content["vaults"])
        content["uniswap_v2"] = UniswapV2(**content["uniswap_v2"])
        content["uniswap_v3"] = UniswapV3(**content["uniswap_v3"])
        aave = content["aave"]
        content["aave"] = AaveV3(**{**aave, "reserves": _each(Reserve, aave["reserves"])})
        return cls(**content)

    def token(self, symbol: str) -> str:
        """The address of a token. Raises KeyError for an unknown symbol."""
        return self.tokens[symbol].address

    def amount(self, symbol: str, whole: int, thousandths: int = 0) -> int:
        """A raw amount: `whole` tokens and `thousandths` of one."""
        unit: int = 10 ** self.tokens[symbol].decimals
        return (whole * 1000 + thousandths) * unit // 1000


def _each(kind: type[Record], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Record]:
    return {name: kind(**row) for name, row in rows.items()}
