"""Blocks full of logs: swaps in every pair, and deposits to and releases from the escrow; others in each block.
Each block is two transactions, however many logs it has: the crowd acts through the multicall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from devnet import Addresses, Devnet
from devnet.codec import Signature
from devnet.protocols.uniswap_v2 import DEADLINE
from tests.e2e.support import only

Send = tuple[str, str, Sequence[Any]]

SYMBOLS = ("USDC", "USDT", "DAI", "WBTC", "LINK")
DEPOSITS = 4
GAS = 25_000_000
AGGREGATE3 = "aggregate3((address,bool,bytes)[])"
SWAP = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody at once."""

    net: Devnet
    addresses: Addresses

    def arrive(self) -> None:
        """Before the first block: tokens of every kind, and leave to trade them."""
        router, me = self.addresses.uniswap_v2.router, self.addresses.multicall3
        tokens = [self.addresses.token(symbol) for symbol in SYMBOLS]
        self._all([(token, "mint(address,uint256)", (me, 10**30)) for token in tokens])
        self._all([(token, "approve(address,uint256)", (router, 2**255)) for token in tokens])
        self.net.mine()

    def act(self) -> None:
        """A block's transactions, not mined yet."""
        self._all([*self._deposits(), *self._swaps()])
        user = self.addresses.users[0]
        for symbol in SYMBOLS[:2]:
            self.net.send(
                self.addresses.escrow, "release(address,address,uint256)", self.addresses.token(symbol), user, 7
            )

    def _deposits(self) -> list[Send]:
        height = self.net.block_number()
        amounts = [height * 1_000 + i for i in range(DEPOSITS)]
        return [
            (self.addresses.token(symbol), "mint(address,uint256)", (self.addresses.escrow, amount))
            for symbol in SYMBOLS
            for amount in amounts
        ]

    def _swaps(self) -> list[Send]:
        """One in each pair that holds a token of ours."""
        height = self.net.block_number()
        return [self._swap(sold, bought, 10_000 + height) for sold, bought in self._pairs()]

    def _pairs(self) -> list[tuple[str, str]]:
        names = [name.split("/") for name in self.addresses.uniswap_v2.pairs if "SCAM" not in name]
        return [(a, b) if a in SYMBOLS else (b, a) for a, b in names]

    def _swap(self, sold: str, bought: str, amount: int) -> Send:
        path = [self.addresses.token(sold), self.addresses.token(bought)]
        whole = 10 ** max(self.addresses.tokens[sold].decimals - 6, 0)
        me = self.addresses.multicall3
        return self.addresses.uniswap_v2.router, SWAP, (amount * whole, 0, path, me, DEADLINE)

    def _all(self, sends: Sequence[Send]) -> None:
        calls = [(to, False, bytes.fromhex(Signature.parse(text).encode(values)[2:])) for to, text, values in sends]
        self.net.send(self.addresses.multicall3, AGGREGATE3, calls, gas=GAS)


def pairs_and_escrow(text: str) -> str:
    """Of a devnet's configuration the pairs and the escrow's tokens, without ether and prices: all that has logs."""
    quick = text.replace("[chains.devnet]", "[chains.devnet]\npoll_s = 0.02")
    return only(quick, ["escrow", "uniswap-v2"], is_priced=False, has_ether=False)
