"""The tables of gross flows: what came to a place and left it, block by block, and in which blocks that is all known.

A place is token, owner and bucket in one deployment, by address: a token that describes itself anew stays one place.
A block of an abandoned fork keeps its flows, with `live` off.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Table, Text, UniqueConstraint
from sqlmodel import Field

from indexer.store.exact import ExactInteger
from indexer.store.tables import LIVE, Base, Id


class PlaceRow(Base, table=True):
    """What a flow is of."""

    __tablename__ = "place"
    __table_args__ = (UniqueConstraint("deployment_id", "token", "owner", "bucket"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    token: str = Field(sa_type=Text)
    owner: str = Field(sa_type=Text)
    bucket: str = Field(sa_type=Text)


class FlowBlockRow(Base, table=True):
    """A block in which a deployment had flows. At most one of a number is live."""

    __tablename__ = "flow_block"
    __table_args__ = (
        UniqueConstraint("deployment_id", "hash"),
        Index("uq_flow_block_live", "deployment_id", "number", unique=True, **LIVE),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    number: int = Field(sa_type=BigInteger)
    hash: str = Field(sa_type=Text)
    parent_hash: str = Field(sa_type=Text)
    timestamp: int = Field(sa_type=BigInteger)
    live: bool


class FlowRow(Base, table=True):
    """Raw units that came to a place and left it in a block."""

    __tablename__ = "flow"
    __table_args__ = ({"sqlite_with_rowid": False},)

    block_id: int = Field(primary_key=True, foreign_key="flow_block.id", sa_type=Id)
    place_id: int = Field(primary_key=True, foreign_key="place.id", sa_type=Id)
    amount_in: int = Field(sa_type=ExactInteger)
    amount_out: int = Field(sa_type=ExactInteger)


class CoveredRow(Base, table=True):
    """Blocks `first` to `last` in which every flow of some places is known. `places` is JSON: runs of their ids."""

    __tablename__ = "covered"
    __table_args__ = (Index("ix_covered_deployment_id_last", "deployment_id", "last"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)
    places: str = Field(sa_type=Text)


class CoveringRow(Base, table=True):
    """From block `first` on, as far as the chain has `folded`, every flow of some places is known."""

    __tablename__ = "covering"

    deployment_id: int = Field(primary_key=True, foreign_key="deployment.id", sa_type=Id)
    first: int = Field(sa_type=BigInteger)
    places: str = Field(sa_type=Text)


metadata = Base.metadata
"""Of every table: these, and those of `tables`."""

_all: dict[str, Table] = dict(metadata.tables)
place, flow_block, flow = _all["place"], _all["flow_block"], _all["flow"]
covered, covering = _all["covered"], _all["covering"]
