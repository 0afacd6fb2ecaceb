"""Aave V2 and its forks: a market of the same shape as V3's, whose pool says less of a reserve.

https://docs.aave.com/developers/v/2.0/the-core-protocol/lendingpool
"""

from __future__ import annotations

from indexer.adapters.aave_v3 import AaveV3


class AaveV2(AaveV3):
    """Twelve fields of a reserve in place of V3's fifteen; all else is as in V3."""

    kind = "aave_v2"
    version = 1
    pool = "aave_v2_pool"
    token_fields = slice(7, 10)
