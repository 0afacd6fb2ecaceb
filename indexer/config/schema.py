"""Typed settings: what a configuration and the shipped catalog say, checked by themselves.

Parameters of adapters and oracles stay plain mappings here: their own rooms know what they mean. Unknown keys are
errors everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from indexer.config.secret import Secret
from indexer.config.types import Cadence, parse_address, parse_cadence
from indexer.model import Address


def _secret(value: Any) -> Secret:
    if not isinstance(value, str):
        raise ValueError("expected the URL of an endpoint, such as ${ETH_RPC_URL}")
    return Secret(value)


ContractAddress = Annotated[Address, AfterValidator(parse_address)]
Every = Annotated[Cadence, BeforeValidator(parse_cadence)]
Url = Annotated[Secret, BeforeValidator(_secret)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Symbol = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[^\s@#]+$")]

PRICED = "priced"
"""In place of a kind's `tokens`: every token that the configuration and the catalog price on the chain."""

BITCOIN = Address("0x" + "bb" * 20)
"""Bitcoin as a unit of account in routes: no contract, so that nobody can hold it."""

DEPLOYMENT_KEYS = ("name", "chain", "kind", "category", "label", "first_block", "every")
"""Keys of a `[[protocols]]` entry that mean the same for every kind; all others are the kind's parameters."""


class Model(BaseModel):
    """Base of all settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class StoreSettings(Model):
    """Where snapshots are kept. A relative SQLite path is relative to the configuration file."""

    url: str = "sqlite:///tvl.db"


class NativeCoin(Model):
    """The chain's own coin; `wrapped` is its canonical ERC-20."""

    symbol: Symbol
    decimals: int = Field(18, ge=0, le=36)
    wrapped: ContractAddress | None = None


class Finality(Model):
    """How a block becomes final: by the node's `finalized` tag, or by `depth` blocks where there is none."""

    tags: bool = True
    depth: int = Field(64, ge=1)


class Multicall(Model):
    """Where Multicall3 stands, and the first block at which it does."""

    address: ContractAddress
    first_block: int = Field(0, ge=0)


class SequencerFeed(Model):
    """Chainlink's L2 uptime feed, and how long prices are held after the sequencer came back."""

    address: ContractAddress
    grace_s: int = Field(3600, ge=0)


class ChainSettings(Model):
    """One chain: the catalog's row, and what the configuration says of it.

    `requests_per_second` is the most that each endpoint is asked; without it the pace is learned. `websocket` tells of
    new heads sooner than polling does, and is never believed. `ledger` turns answers from logs on or off; a balance is
    believed once reads agreed with its logs for `ledger_proof_s` of block time. Of
    `audit_one_in` snapshots whose blocks became final,
    one is read again from another endpoint and compared; 0: none.
    """

    chain_id: int = Field(ge=1)
    name: str = ""
    native: NativeCoin
    block_time_s: float = Field(12, gt=0)
    finality: Finality = Finality()
    multicall3: Multicall | None = None
    sequencer_feed: SequencerFeed | None = None
    block_number: Literal["evm", "arbsys"] = "evm"
    endpoints: tuple[Url, ...] = ()
    requests_per_second: float | None = Field(None, gt=0)
    websocket: Url | None = None
    every: Every = Cadence(seconds=300)
    ledger: bool = True
    ledger_proof_s: int = Field(3_600, ge=0)
    timeout_s: float = Field(30, gt=0)
    poll_s: float | None = Field(None, gt=0)
    audit_one_in: int = Field(20, ge=0)

    @field_validator("block_time_s", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return float(value) if isinstance(value, str) else value


class FeedSettings(Model):
    """One price feed behind its proxy: how often it must answer, and how far it may stray before it does.

    With a `pair` (such as `ETH / USD`) its description is read at every block, and it is held while it says another.
    """

    address: ContractAddress
    pair: str | None = Field(None, max_length=64)
    decimals: int = Field(8, ge=0, le=36)
    heartbeat_s: int = Field(gt=0)
    deviation_bps: int = Field(0, ge=0, le=10_000)


class TokenSettings(Model):
    """A token and its routes to USD, in the order they are tried. Each route is one step: see the kinds of routes."""

    address: ContractAddress
    decimals: int | None = Field(None, ge=0, le=77)
    routes: tuple[dict[str, Any], ...] = ()
    pegged: str = Field("", pattern=r"^([A-Z]{3})?$")
    """The currency that it is meant to be worth one of, such as USD: it counts as a stablecoin. Never a price."""


class DeploymentSettings(Model):
    """One protocol on one chain. `params` belong to the kind."""

    name: Name
    chain: Name
    kind: str
    category: Name = "other"
    label: Name | None = None
    first_block: int = Field(0, ge=0)
    every: Every | None = None
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _split_params(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "params" in value:
            return value
        own = {key: value[key] for key in DEPLOYMENT_KEYS if key in value}
        return own | {"params": {key: value[key] for key in value if key not in DEPLOYMENT_KEYS}}

    @property
    def key(self) -> str:
        """`protocol@chain`, with `#label` where one is given. Unique in a configuration."""
        return f"{self.name}@{self.chain}" + (f"#{self.label}" if self.label else "")


class Select(Model):
    """Which deployments of the shipped catalog are read, beside the `[[protocols]]` of the configuration.

    A deployment is taken if its protocol, category or kind is named (or if only chains are), on those of the configured
    chains that are named (all, by default). `except` leaves protocols out. Names may be `protocol`, `protocol@chain` or
    `protocol@chain#label`.
    """

    protocols: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    except_: tuple[str, ...] = Field((), alias="except")


class Settings(Model):
    """A whole configuration: chains, feeds and tokens by chain, and the deployments to read."""

    store: StoreSettings = StoreSettings()
    chains: dict[Name, ChainSettings] = Field(default_factory=dict)
    feeds: dict[Name, dict[str, FeedSettings]] = Field(default_factory=dict)
    tokens: dict[Name, dict[Symbol, TokenSettings]] = Field(default_factory=dict)
    guards: dict[str, Any] = Field(default_factory=dict)
    quality: dict[str, Any] = Field(default_factory=dict)
    select: Select = Select()
    protocols: tuple[DeploymentSettings, ...] = ()

    def stablecoins(self, chain: str) -> list[Address]:
        """The tokens of a chain that are meant to be worth one of a currency, in the order of their addresses."""
        return sorted({row.address for row in self.tokens.get(chain, {}).values() if row.pegged})

    def priced(self, chain: str) -> list[Address]:
        """The tokens of a chain that have a route to USD, in the order of their addresses."""
        rows = self.tokens.get(chain, {}).values()
        return sorted({row.address for row in rows if row.routes} - {BITCOIN})
