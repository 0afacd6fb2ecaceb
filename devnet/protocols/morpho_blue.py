"""Puts Morpho Blue on a devnet: its published source, with the oracle and the rate model of its authors' own tests.
https://github.com/morpho-org/morpho-blue"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from devnet.artifacts import own
from devnet.chain import Devnet

MARKET = "(address,address,address,address,uint256)"
LLTV = 80 * 10**16
PRICE_SCALE = 10**36


@dataclass(frozen=True, slots=True)
class MorphoMarket:
    """The parameters that name a market."""

    loan: str
    collateral: str
    oracle: str
    rate_model: str
    lltv: int = LLTV


class Morpho:
    """The contract on a chain, and what users do with it; nothing is mined but what creates it."""

    def __init__(self, net: Devnet) -> None:
        self._net = net
        self.address = net.deploy(own("Morpho"), net.accounts[0])
        self._oracle, self._rates = net.deploy(own("OracleMock")), net.deploy(own("IrmMock"))
        net.mine()
        net.send(self._oracle, "setPrice(uint256)", PRICE_SCALE)
        net.send(self.address, "enableIrm(address)", self._rates)
        net.send(self.address, "enableLltv(uint256)", LLTV)
        net.mine()

    def create(self, loan: str, collateral: str) -> MorphoMarket:
        market = MorphoMarket(loan, collateral, self._oracle, self._rates)
        self._net.send(self.address, f"createMarket({MARKET})", astuple(market))
        return market

    def supply(self, market: MorphoMarket, amount: int, *, sender: str) -> None:
        self._approve(market.loan, amount, sender)
        self._send(f"supply({MARKET},uint256,uint256,address,bytes)", market, amount, 0, sender, b"", sender=sender)

    def supply_collateral(self, market: MorphoMarket, amount: int, *, sender: str) -> None:
        self._approve(market.collateral, amount, sender)
        self._send(f"supplyCollateral({MARKET},uint256,address,bytes)", market, amount, sender, b"", sender=sender)

    def borrow(self, market: MorphoMarket, amount: int, *, sender: str) -> None:
        self._send(
            f"borrow({MARKET},uint256,uint256,address,address)", market, amount, 0, sender, sender, sender=sender
        )

    def _send(self, signature: str, market: MorphoMarket, *arguments: object, sender: str) -> None:
        self._net.send(self.address, signature, astuple(market), *arguments, sender=sender)

    def _approve(self, token: str, amount: int, sender: str) -> None:
        self._net.send(token, "approve(address,uint256)", self.address, amount, sender=sender)
