"""The tables, as SQLModel classes; below them the same as Core tables, which all queries use.

A point is a block at which a roster of deployments was read. A deployment has a snapshot there only where it says
something else than at its point before, and within it a holding or a quote only where that differs, with a row that
says "gone" where it was and is no more. So the rows are the same in whatever order they are written. `live` rows are of
the canonical chain; those of abandoned forks stay with `live` off. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from indexer.store.exact import ExactInteger

Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the type is spelled INTEGER."""

CANONICAL = "state <> 'superseded'"
LIVE: dict[str, Any] = {"sqlite_where": text("live = 1"), "postgresql_where": text("live")}
ABANDONED: dict[str, Any] = {"sqlite_where": text("live = 0"), "postgresql_where": text("NOT live")}


class Base(SQLModel):
    """Own metadata (nothing global), and names for every constraint, so that a migration can name them."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ChainRow(Base, table=True):
    """A chain: its finalized block, what its last snapshots cost, how they were answered, and sums of audits.

    `traffic` and `ways` are JSON objects of counts. `folded` is the last block of the ledger that began at the block of
    the hash `folded_since`. `writes` counts transactions: a writer that finds its own count knows that nobody else
    wrote since.
    """

    __tablename__ = "chain"

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    name: str = Field(unique=True, sa_type=Text)
    requests: int | None = Field(default=None, sa_type=BigInteger)
    calls: int | None = Field(default=None, sa_type=BigInteger)
    traffic: str | None = Field(default=None, sa_type=Text)
    ways: str | None = Field(default=None, sa_type=Text)
    audited: int | None = Field(default=None, sa_type=BigInteger)
    corrected: int | None = Field(default=None, sa_type=BigInteger)
    writes: int | None = Field(default=None, sa_type=BigInteger)
    folded_since: str | None = Field(default=None, sa_type=Text)
    folded: int | None = Field(default=None, sa_type=BigInteger)
    final_number: int | None = Field(default=None, sa_type=BigInteger)
    final_hash: str | None = Field(default=None, sa_type=Text)
    final_parent_hash: str | None = Field(default=None, sa_type=Text)
    final_timestamp: int | None = Field(default=None, sa_type=BigInteger)


class HeadRow(Base, table=True):
    """One of the last followed canonical blocks of a chain."""

    __tablename__ = "head"
    __table_args__ = ({"sqlite_with_rowid": False},)

    chain_id: int = Field(primary_key=True, foreign_key="chain.id", sa_type=Id)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    hash: str = Field(sa_type=Text)
    parent_hash: str = Field(sa_type=Text)
    timestamp: int = Field(sa_type=BigInteger)


class DeploymentTable(Base, table=True):
    """A deployment, and up to which block at least its discoveries are complete."""

    __tablename__ = "deployment"

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    key: str = Field(unique=True, sa_type=Text)
    chain_id: int = Field(foreign_key="chain.id", index=True, sa_type=Id)
    protocol: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    category: str = Field(sa_type=Text)
    params_json: str = Field(sa_type=Text)
    first_block: int = Field(sa_type=BigInteger)
    searched: int | None = Field(default=None, sa_type=BigInteger)


class FoundRow(Base, table=True):
    """One discovery of a deployment; ids count in the order of finding."""

    __tablename__ = "found"
    __table_args__ = (UniqueConstraint("deployment_id", "key"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    key: str = Field(sa_type=Text)
    block: int = Field(sa_type=BigInteger)
    data: str = Field(sa_type=Text)


class TokenRow(Base, table=True):
    """A token as its contract described itself; another description is another row."""

    __tablename__ = "token"
    __table_args__ = (UniqueConstraint("content"), Index("ix_token_chain_id_address", "chain_id", "address"))

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    chain_id: int = Field(foreign_key="chain.id", sa_type=Id)
    address: str = Field(sa_type=Text)
    symbol: str = Field(sa_type=Text)
    decimals: int | None = Field(default=None, sa_type=Integer)
    symbol_raw: str = Field(sa_type=Text)
    content: bytes = Field(sa_type=LargeBinary)


class PositionRow(Base, table=True):
    """What a holding is of: token, owner and bucket in one deployment."""

    __tablename__ = "position"
    __table_args__ = (UniqueConstraint("deployment_id", "token_id", "owner", "bucket"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    token_id: int = Field(foreign_key="token.id", sa_type=Id)
    owner: str = Field(sa_type=Text)
    bucket: str = Field(sa_type=Text)


class RosterRow(Base, table=True):
    """A set of deployments that were read together. `deployments` is JSON: runs of their ids."""

    __tablename__ = "roster"
    __table_args__ = (UniqueConstraint("deployments"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployments: str = Field(sa_type=Text)


class MemberRow(Base, table=True):
    """A deployment of a roster: the same set again, to be found by what is in it."""

    __tablename__ = "member"
    __table_args__: ClassVar[dict[str, bool]] = {"sqlite_with_rowid": False}

    deployment_id: int = Field(primary_key=True, foreign_key="deployment.id", sa_type=Id)
    roster_id: int = Field(primary_key=True, foreign_key="roster.id", sa_type=Id)


class PointRow(Base, table=True):
    """A block at which deployments were read, and which. One row a hash; those of one number share no deployment.

    Where it is superseded, the roster says who was read there.
    """

    __tablename__ = "point"
    __table_args__ = (
        Index("ix_point_chain_id_number", "chain_id", "number"),
        Index(
            "ix_point_canonical",
            "roster_id",
            "number",
            sqlite_where=text(CANONICAL),
            postgresql_where=text(CANONICAL),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    chain_id: int = Field(foreign_key="chain.id", sa_type=Id)
    number: int = Field(sa_type=BigInteger)
    hash: str = Field(sa_type=Text)
    parent_hash: str = Field(sa_type=Text)
    timestamp: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    roster_id: int = Field(foreign_key="roster.id", sa_type=Id)


class SnapshotRow(Base, table=True):
    """What one deployment says from a point on, until its next snapshot. Ids are never used again.

    Of an abandoned block, or of what an audit put right, `live` is off.
    """

    __tablename__ = "snapshot"
    __table_args__ = (
        Index("uq_snapshot_live", "deployment_id", "number", unique=True, **LIVE),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    point_id: int = Field(foreign_key="point.id", sa_type=Id)
    number: int = Field(sa_type=BigInteger)
    live: bool
    status: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    methodology: str = Field(sa_type=Text)
    adapter: str = Field(sa_type=Text)


class TotalRow(Base, table=True):
    """What one bucket of a snapshot sums up to, in USD scaled by 10**18."""

    __tablename__ = "total"
    __table_args__: ClassVar[dict[str, bool]] = {"sqlite_with_rowid": False}

    snapshot_id: int = Field(primary_key=True, foreign_key="snapshot.id", sa_type=Id)
    bucket: str = Field(primary_key=True, sa_type=Text)
    usd: int = Field(sa_type=ExactInteger)
    low: int = Field(sa_type=ExactInteger)
    high: int = Field(sa_type=ExactInteger)
    lines: int = Field(sa_type=Integer)
    left_out: int = Field(sa_type=Integer)


class HoldingRow(Base, table=True):
    """A holding that changed at a snapshot. `status` is NULL where the position is gone.

    `verdict` is NULL where the line is what its holding, quote and token make of it; else JSON of what differs.
    """

    __tablename__ = "holding"
    __table_args__ = (
        Index("uq_holding_live", "position_id", "number", unique=True, **LIVE),
        {"sqlite_with_rowid": False},
    )

    snapshot_id: int = Field(primary_key=True, foreign_key="snapshot.id", sa_type=Id)
    position_id: int = Field(primary_key=True, foreign_key="position.id", sa_type=Id)
    number: int = Field(sa_type=BigInteger)
    live: bool
    amount: int | None = Field(default=None, sa_type=ExactInteger)
    status: str | None = Field(default=None, sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    receipt: str | None = Field(default=None, sa_type=Text)
    verdict: str | None = Field(default=None, sa_type=Text)


class QuoteRow(Base, table=True):
    """A quote by its content, stored once whoever uses it. `steps` and `flags` are JSON, integers in it are text.

    A step without a time is of the block that it is used at.
    """

    __tablename__ = "quote"
    __table_args__ = (UniqueConstraint("content"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    content: bytes = Field(sa_type=LargeBinary)
    price: int | None = Field(default=None, sa_type=ExactInteger)
    low: int | None = Field(default=None, sa_type=ExactInteger)
    high: int | None = Field(default=None, sa_type=ExactInteger)
    grade: str = Field(sa_type=Text)
    route: str = Field(sa_type=Text)
    steps: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    flags: str = Field(sa_type=Text)


class QuotedRow(Base, table=True):
    """Which quote a deployment's token got, where it changed at a snapshot. `quote_id` is NULL where there is none."""

    __tablename__ = "quoted"
    __table_args__ = (
        Index("uq_quoted_live", "deployment_id", "token_id", "number", unique=True, **LIVE),
        {"sqlite_with_rowid": False},
    )

    snapshot_id: int = Field(primary_key=True, foreign_key="snapshot.id", sa_type=Id)
    token_id: int = Field(primary_key=True, foreign_key="token.id", sa_type=Id)
    deployment_id: int = Field(foreign_key="deployment.id", sa_type=Id)
    number: int = Field(sa_type=BigInteger)
    live: bool
    quote_id: int | None = Field(default=None, foreign_key="quote.id", sa_type=Id)


metadata = Base.metadata

_all: dict[str, Table] = dict(metadata.tables)
chain, head, deployment, found = _all["chain"], _all["head"], _all["deployment"], _all["found"]
token, position, roster, member = _all["token"], _all["position"], _all["roster"], _all["member"]
point, snapshot, total = _all["point"], _all["snapshot"], _all["total"]
holding, quote, quoted = _all["holding"], _all["quote"], _all["quoted"]
