"""Shares of a Balancer V2 weighted pool: their fair value, which trading in the pool cannot move.

Value = product of (balance * price / weight)**weight, over supply: the weighted form of the Uniswap V2 fair value
(https://docs.balancer.fi, weighted math: the invariant is the product of balance**weight). Never uses the pool's own
price. Weights must be fractions with a denominator up to 100, as 80/20, 50/50 or 1/3 are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lcm, prod
from typing import Any

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Grade, Status, Step
from indexer.pricing.base import Oracle, OracleParams, Reading, scale_of, scaled
from indexer.pricing.guards import Positive, Supplied
from indexer.pricing.numbers import root_down
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Failed, Plan, address, need, uint

LP_DECIMALS = 18
MAX_DENOMINATOR = 100
WEIGHT_ERROR = Fraction(1, 10**15)
"""A third is stored as 0.333333333333333333: this close to a small fraction, it is that fraction."""


class BalancerWeightedParams(OracleParams):
    """None: the pool and its vault say all."""


class BalancerWeighted(Oracle[BalancerWeightedParams]):
    """Fair value of one whole share, graded B: an on-chain composition of priced tokens."""

    kind = "balancer_weighted"
    params = BalancerWeightedParams

    def read(self, token: Address, params: BalancerWeightedParams, at: BlockRef) -> Plan[Reading]:
        """Three rounds of calls. Raises CallFailed where it is no weighted pool, or one of unusual weights."""
        pool, erc20 = interface("balancer_pool"), interface("erc20")
        asks = [pool.getPoolId, pool.getVault, pool.getNormalizedWeights, pool.getActualSupply, pool.totalSupply]
        answers = yield [ask(token) for ask in asks]
        weights, supply = _weights(need(answers[2])), _supply(answers[3], answers[4])
        vault, pool_id = address(answers[1]), need(answers[0])
        (held,) = yield [interface("balancer_vault").getPoolTokens(vault, pool_id)]
        tokens, balances = _holdings(need(held), len(weights))
        answers = yield [erc20.decimals(part) for part in tokens]
        scales = [scale_of(answer) for answer in answers]
        whole = [scaled(*pair) for pair in zip(balances, scales, strict=True)]
        steps = [
            Step(f"{self.kind}:balance{i}", vault, balance, scale, None)
            for i, (balance, scale) in enumerate(zip(balances, scales, strict=True))
        ]
        return Reading(
            combine=weighted_value(whole, weights, scaled(supply, LP_DECIMALS)),
            of=tokens,
            grade=Grade.B,
            steps=(*steps, Step(f"{self.kind}:supply", token, supply, LP_DECIMALS, None)),
            label=self.kind,
            checks=(Positive(min(balances)), Supplied(supply, LP_DECIMALS)),
        )


def weighted_value(
    balances: Sequence[Fraction], weights: Sequence[Fraction], supply: Fraction
) -> Callable[[Sequence[Fraction]], Fraction]:
    """USD of a whole share, its one root rounded down at 10**-54; all in whole tokens."""
    degree = lcm(*(weight.denominator for weight in weights))

    def combine(prices: Sequence[Fraction]) -> Fraction:
        if supply == 0:
            return Fraction(0)
        parts = zip(balances, prices, weights, strict=True)
        powers = [(balance * price / weight) ** int(weight * degree) for balance, price, weight in parts]
        return root_down(prod(powers, start=Fraction(1)) / supply**degree, degree)

    return combine


def _weights(answer: Sequence[int]) -> tuple[Fraction, ...]:
    weights = tuple(scaled(raw, 18).limit_denominator(MAX_DENOMINATOR) for raw in answer)
    exact = all(abs(near - scaled(raw, 18)) <= WEIGHT_ERROR for near, raw in zip(weights, answer, strict=True))
    if not exact or sum(weights) != 1 or min(weights) <= 0:
        raise CallFailed("weights that are no fractions of 100 or less", status=Status.MALFORMED)
    return weights


def _supply(actual: Answer, total: Answer) -> int:
    """`getActualSupply` counts fees that are owed but not minted yet; the first pools do not have it."""
    return uint(total if isinstance(actual, Failed) else actual)


def _holdings(answer: Any, count: int) -> tuple[tuple[Address, ...], tuple[int, ...]]:
    tokens, balances, _ = answer
    if not len(tokens) == len(balances) == count:
        raise CallFailed(f"{len(tokens)} tokens and {len(balances)} balances for {count} weights")
    return tuple(tokens), tuple(balances)
