"""Puts an Aave V2 market on a devnet: the published contracts, linked, configured and listed.
Order of steps: github.com/aave/protocol-v2 tasks/full (provider, libraries, pool, oracles, reserves)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devnet.addresses import Token
from devnet.artifacts import Artifact, published
from devnet.chain import Devnet

RAY = 10**27
WAD = 10**18
NOBODY = "0x" + "00" * 20
VARIABLE = 2


@dataclass(frozen=True, slots=True)
class AaveV2:
    """Where a market stands."""

    addresses_provider: str
    pool: str
    data_provider: str


def deploy_aave_v2(net: Devnet, tokens: Mapping[str, Token], symbols: Sequence[str]) -> AaveV2:
    """A market with these tokens as reserves, each worth one ether; mines the blocks it needs."""
    provider = net.deploy(_aave("protocol/configuration/LendingPoolAddressesProvider"), "Devnet Aave V2")
    net.send(provider, "setPoolAdmin(address)", net.accounts[0])
    net.send(provider, "setLendingPoolImpl(address)", _deploy_pool(net))
    configurator = net.deploy(_aave("protocol/lendingpool/LendingPoolConfigurator"))
    net.send(provider, "setLendingPoolConfiguratorImpl(address)", configurator)
    data_provider = net.deploy(_aave("misc/AaveProtocolDataProvider"), provider)
    net.mine()
    pool = net.call(provider, "getLendingPool()(address)")
    configurator = net.call(provider, "getLendingPoolConfigurator()(address)")
    _set_oracles(net, provider, [tokens[symbol].address for symbol in symbols])
    for symbol in symbols:
        list_reserve(net, AaveV2(provider, pool, data_provider), configurator, tokens[symbol])
    return AaveV2(provider, pool, data_provider)


def list_reserve(net: Devnet, market: AaveV2, configurator: str, token: Token) -> None:
    """Add a reserve that can be borrowed; mines a block."""
    named = (token.address, f"Aave V2 {token.symbol}", f"v2{token.symbol}", NOBODY)
    pool, provider = market.pool, market.addresses_provider
    a_token = net.deploy(_aave("protocol/tokenization/AToken"), pool, token.address, net.accounts[7], *named[1:])
    debts = [net.deploy(_aave(f"protocol/tokenization/{n}DebtToken"), pool, *named) for n in ("Stable", "Variable")]
    curve = (thousandths * RAY // 1000 for thousandths in (800, 0, 40, 750, 20, 750))
    strategy = net.deploy(_aave("protocol/lendingpool/DefaultReserveInterestRateStrategy"), provider, *curve)
    net.mine()
    initial = "initReserve(address,address,address,uint8,address)"
    net.send(configurator, initial, a_token, *debts, token.decimals, strategy, gas=10_000_000)
    collateral = "configureReserveAsCollateral(address,uint256,uint256,uint256)"
    net.send(configurator, collateral, token.address, 75_00, 80_00, 105_00)
    net.send(configurator, "enableBorrowingOnReserve(address,bool)", token.address, True)
    net.mine()


def deposit(net: Devnet, market: AaveV2, token: str, amount: int, *, sender: str) -> None:
    net.send(token, "approve(address,uint256)", market.pool, amount, sender=sender)
    net.send(market.pool, "deposit(address,uint256,address,uint16)", token, amount, sender, 0, sender=sender)


def borrow(net: Devnet, market: AaveV2, token: str, amount: int, *, sender: str) -> None:
    signature = "borrow(address,uint256,uint256,uint16,address)"
    net.send(market.pool, signature, token, amount, VARIABLE, 0, sender, sender=sender)


def _deploy_pool(net: Devnet) -> str:
    libraries = {
        name: net.deploy(_aave(f"protocol/libraries/logic/{name}")) for name in ("GenericLogic", "ReserveLogic")
    }
    libraries |= {"ValidationLogic": net.deploy(_aave("protocol/libraries/logic/ValidationLogic"), libraries=libraries)}
    return net.deploy(_aave("protocol/lendingpool/LendingPool"), libraries=libraries)


def _set_oracles(net: Devnet, provider: str, assets: Sequence[str]) -> None:
    """Oracles that are told their answers: every asset is worth one ether, and lent at three percent."""
    prices, rates = net.deploy(_aave("mocks/oracle/PriceOracle")), net.deploy(_aave("mocks/oracle/LendingRateOracle"))
    for asset in assets:
        net.send(prices, "setAssetPrice(address,uint256)", asset, WAD)
        net.send(rates, "setMarketBorrowRate(address,uint256)", asset, 3 * RAY // 100)
    net.send(provider, "setPriceOracle(address)", prices)
    net.send(provider, "setLendingRateOracle(address)", rates)


def _aave(path: str) -> Artifact:
    name = path.rsplit("/", 1)[1]
    return published(f"@aave/protocol-v2/artifacts/contracts/{path}.sol/{name}.json")
