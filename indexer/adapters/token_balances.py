"""Given owners and given tokens -> what each owner holds of each token.

The simplest kind, and the widest: treasuries, staking contracts, bridges, vaults that keep their tokens in one place.
Finds nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from pydantic import Field, field_validator

from indexer.adapters.base import Adapter, ContractAddress, Params
from indexer.adapters.parts import Addresses, balance_of, holding
from indexer.model import BlockRef, Bucket, Found, Holding
from indexer.reads.plan import Plan


class TokenBalancesParams(Params):
    """Every owner is asked for every token."""

    owners: Addresses = Field(min_length=1)
    """Contracts whose balances are counted."""
    tokens: Addresses = Field(min_length=1)
    """ERC-20 tokens; the zero address stands for the chain's native coin."""
    bucket: Bucket = Bucket.BASE
    """What the balances are to the protocol: `base`, `staking`, `pool2`, `vesting`, `treasury` or `own`."""
    receipt: ContractAddress | None = None
    """The token that the protocol issues as a claim on all these balances, if it does (such as a pool's LP token)."""

    @field_validator("bucket")
    @classmethod
    def _is_held(cls, bucket: Bucket) -> Bucket:
        if bucket is Bucket.BORROWED:
            raise ValueError("a balance is held, not owed: use another bucket")
        return bucket


class TokenBalances(Adapter[TokenBalancesParams]):
    """Balances of `owners`, in one round."""

    kind = "token_balances"
    version = 1
    counts = "The balances of the given tokens (and of the native coin) in the given contracts."
    params = TokenBalancesParams

    def read(self, params: TokenBalancesParams, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        pairs = list(product(params.owners, params.tokens))
        answers = yield [balance_of(token, owner) for owner, token in pairs]
        return [
            holding(token, owner, answer, params.bucket, params.receipt)
            for (owner, token), answer in zip(pairs, answers, strict=True)
        ]
