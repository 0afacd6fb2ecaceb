"""Given owners and given tokens (or pairs of them) -> what each owner holds of each token.

The simplest kind, and the widest: treasuries, staking contracts, bridges, vaults that keep their tokens in one place.
Finds nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from pydantic import field_validator, model_validator

from indexer.adapters.base import Adapter, ContractAddress, Params
from indexer.adapters.parts import Addresses, balance_of, holding
from indexer.model import Address, BlockRef, Bucket, Found, Holding
from indexer.reads.plan import Plan


class TokenBalancesParams(Params):
    """Every owner is asked for every token; or each owner for its own, in pairs."""

    owners: Addresses = ()
    """Contracts whose balances are counted."""
    tokens: Addresses = ()
    """ERC-20 tokens; the zero address stands for the chain's native coin."""
    pairs: tuple[tuple[ContractAddress, ContractAddress], ...] = ()
    """Owner and token, in place of `owners` and `tokens` where not every owner is asked for every token."""
    exclude: Addresses = ()
    """Tokens of `tokens` that are not asked for."""
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

    @model_validator(mode="after")
    def _asks_something(self) -> TokenBalancesParams:
        if bool(self.pairs) == bool(self.owners or self.tokens):
            raise ValueError("give either owners and tokens, or pairs of them")
        if not self.asked:
            raise ValueError("there is no owner to ask, or no token to ask for")
        if len({*self.asked}) != len(self.asked):
            raise ValueError("a pair is listed twice")
        return self

    @property
    def asked(self) -> list[tuple[Address, Address]]:
        """Every owner with every token that it is asked for."""
        tokens = [token for token in self.tokens if token not in self.exclude]
        return list(self.pairs or product(self.owners, tokens))


class TokenBalances(Adapter[TokenBalancesParams]):
    """Balances of `owners`, in one round."""

    kind = "token_balances"
    version = 1
    counts = "The balances of the given tokens (and of the native coin) in the given contracts."
    params = TokenBalancesParams

    def read(self, params: TokenBalancesParams, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        pairs = params.asked
        answers = yield [balance_of(token, owner) for owner, token in pairs]
        return [
            holding(token, owner, answer, params.bucket, params.receipt)
            for (owner, token), answer in zip(pairs, answers, strict=True)
        ]
