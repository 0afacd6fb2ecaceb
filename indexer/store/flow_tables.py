"""The tables of gross flows: what came to a place and left it, block by block, and in which blocks that is all known.

A place is token, owner and bucket in one deployment, by address: a token that describes itself anew stays one place.
A block of an abandoned fork keeps its flows, with `live` off.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Table, Text, UniqueConstraint
from sqlmodel import Field

from indexer.store.tables import ABANDONED, LIVE, Base, Id


class PlaceRow(Base, table=True):
    """What a flow is of."""

    __tablename__ = "place"
    __table_args__ = (UniqueConstraint("deployment_id", "token", "owner", "bucket"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    token: str = Field(sa_type=Text)
    owner: str = Field(sa_type=Text)
    bucket: str = Field(sa_type=Text)


class BlockFlowsRow(Base, table=True):
    """What came to a deployment and left it in a block. At most one block of a number is live.

    `flows` is JSON: of each place its id, and the raw units that came and that went, as decimal text.
    """

    __tablename__ = "block_flows"
    __table_args__ = (
        Index("uq_block_flows_live", "deployment_id", "number", unique=True, **LIVE),
        Index("ix_block_flows_abandoned", "deployment_id", "number", **ABANDONED),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    number: int = Field(sa_type=BigInteger)
    hash: str = Field(sa_type=Text)
    parent_hash: str = Field(sa_type=Text)
    timestamp: int = Field(sa_type=BigInteger)
    live: bool
    flows: str = Field(sa_type=Text)


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
place, block_flows = _all["place"], _all["block_flows"]
covered, covering = _all["covered"], _all["covering"]
