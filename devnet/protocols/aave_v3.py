"""Puts an Aave V3 market on a devnet: the published contracts, linked, configured and listed.
Order of steps: github.com/aave/aave-v3-deploy (provider, access control, pool, oracle, reserves)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from devnet.addresses import AaveV3, Feed, Reserve, Token
from devnet.artifacts import Artifact, published
from devnet.chain import Devnet

RAY = 10**27
VARIABLE = 2
STABLE = 1
MARKET = "Devnet Aave Market"


@dataclass(frozen=True, slots=True)
class Listing:
    """How a reserve is listed; percentages in basis points."""

    symbol: str
    feed: str
    loan_to_value_bps: int
    liquidation_threshold_bps: int
    liquidation_bonus_bps: int
    stable_borrowing: bool = False


LISTINGS = (
    Listing("WETH", "ETH/USD", 80_00, 82_50, 105_00),
    Listing("WBTC", "BTC/USD", 73_00, 78_00, 105_00),
    Listing("USDC", "USDC/USD", 77_00, 80_00, 104_50),
    Listing("DAI", "DAI/USD", 75_00, 80_00, 105_00, stable_borrowing=True),
)
# whole tokens that each user supplies, and borrows at the variable rate
OPENING_SUPPLY = {"WETH": 1_000, "WBTC": 50, "USDC": 2_000_000, "DAI": 1_000_000}
OPENING_DEBT = {"WETH": 100, "USDC": 600_000, "DAI": 300_000}
OPENING_STABLE_DEBT = 50_000  # whole DAI, of the last user

_POOL_LIBRARIES = (
    "SupplyLogic",
    "BorrowLogic",
    "LiquidationLogic",
    "EModeLogic",
    "BridgeLogic",
    "ConfiguratorLogic",
    "PoolLogic",
)
_RESERVE_INPUT = ",".join(["address"] * 3 + ["uint8"] + ["address"] * 4 + ["string"] * 6 + ["bytes"])


def deploy_aave_v3(net: Devnet, tokens: Mapping[str, Token], feeds: Mapping[str, Feed], treasury: str) -> AaveV3:
    """The market, its reserves listed and empty; mines the blocks it needs."""
    provider = net.deploy(_aave("protocol/configuration/PoolAddressesProvider"), MARKET, net.accounts[0])
    acl_manager = _rule(net, provider)
    _implement(net, provider, _deploy_libraries(net))
    net.mine()
    pool = net.call(provider, "getPool()(address)")
    configurator = net.call(provider, "getPoolConfigurator()(address)")
    oracle, data_provider = _deploy_views(net, provider, tokens, feeds)
    _list_reserves(net, provider, pool, configurator, tokens, treasury=treasury)
    net.mine()
    reserves = {listing.symbol: _reserve(net, data_provider, tokens[listing.symbol]) for listing in LISTINGS}
    return AaveV3(provider, pool, configurator, acl_manager, oracle, data_provider, treasury, reserves)


def seed_market(net: Devnet, tokens: Mapping[str, Token], aave: AaveV3, users: Sequence[str]) -> None:
    """Every user supplies every reserve and borrows from most; some of the DAI is owed at a stable rate."""
    for user in users:
        for symbol, whole in OPENING_SUPPLY.items():
            supply(net, aave.pool, tokens[symbol].address, whole * 10 ** tokens[symbol].decimals, sender=user)
    net.mine()
    for user in users:
        for symbol, whole in OPENING_DEBT.items():
            borrow(net, aave.pool, tokens[symbol].address, whole * 10 ** tokens[symbol].decimals, sender=user)
    net.mine()
    dai = tokens["DAI"].address
    net.send(aave.pool, "setUserUseReserveAsCollateral(address,bool)", dai, False, sender=users[-1])
    borrow(net, aave.pool, dai, OPENING_STABLE_DEBT * 10**18, sender=users[-1], mode=STABLE)


def supply(net: Devnet, pool: str, token: str, amount: int, *, sender: str) -> None:
    net.send(pool, "supply(address,uint256,address,uint16)", token, amount, sender, 0, sender=sender)


def withdraw(net: Devnet, pool: str, token: str, amount: int, *, sender: str) -> None:
    net.send(pool, "withdraw(address,uint256,address)", token, amount, sender, sender=sender)


def borrow(net: Devnet, pool: str, token: str, amount: int, *, sender: str, mode: int = VARIABLE) -> None:
    net.send(pool, "borrow(address,uint256,uint256,uint16,address)", token, amount, mode, 0, sender, sender=sender)


def repay(net: Devnet, pool: str, token: str, amount: int, *, sender: str, mode: int = VARIABLE) -> None:
    net.send(pool, "repay(address,uint256,uint256,address)", token, amount, mode, sender, sender=sender)


def _rule(net: Devnet, provider: str) -> str:
    """Make the deployer the market's administrator; the access control manager."""
    admin = net.accounts[0]
    net.send(provider, "setACLAdmin(address)", admin)
    net.mine()
    acl_manager = net.deploy(_aave("protocol/configuration/ACLManager"), provider)
    net.send(provider, "setACLManager(address)", acl_manager)
    net.send(acl_manager, "addPoolAdmin(address)", admin)
    return acl_manager


def _deploy_libraries(net: Devnet) -> dict[str, str]:
    libraries = {name: net.deploy(_logic(name)) for name in _POOL_LIBRARIES}
    net.mine()
    return libraries | {"FlashLoanLogic": net.deploy(_logic("FlashLoanLogic"), libraries=libraries)}


def _implement(net: Devnet, provider: str, libraries: Mapping[str, str]) -> None:
    """Put the pool and its configurator behind the provider's proxies."""
    pool = net.deploy(_aave("protocol/pool/Pool"), provider, libraries=libraries)
    configurator = net.deploy(_aave("protocol/pool/PoolConfigurator"), libraries=libraries)
    net.send(provider, "setPoolImpl(address)", pool)
    net.send(provider, "setPoolConfiguratorImpl(address)", configurator)


def _deploy_views(
    net: Devnet, provider: str, tokens: Mapping[str, Token], feeds: Mapping[str, Feed]
) -> tuple[str, str]:
    """The price oracle over the feeds and the data provider, both known to the addresses provider."""
    assets = [tokens[listing.symbol].address for listing in LISTINGS]
    sources = [feeds[listing.feed].proxy for listing in LISTINGS]
    nothing = "0x" + "00" * 20
    oracle = net.deploy(_aave("misc/AaveOracle"), provider, assets, sources, nothing, nothing, 10**8)
    data_provider = net.deploy(_aave("misc/AaveProtocolDataProvider"), provider)
    net.send(provider, "setPriceOracle(address)", oracle)
    net.send(provider, "setPoolDataProvider(address)", data_provider)
    return oracle, data_provider


def _list_reserves(
    net: Devnet, provider: str, pool: str, configurator: str, tokens: Mapping[str, Token], *, treasury: str
) -> None:
    strategy = net.deploy(_aave("protocol/pool/DefaultReserveInterestRateStrategy"), provider, *_rates())
    implementations = [
        net.deploy(_aave(f"protocol/tokenization/{name}"), pool)
        for name in ("AToken", "StableDebtToken", "VariableDebtToken")
    ]
    net.mine()
    inputs = [
        (
            *implementations,
            token.decimals,
            strategy,
            token.address,
            treasury,
            "0x" + "00" * 20,
            *_names(token),
            b"",
        )
        for token in (tokens[listing.symbol] for listing in LISTINGS)
    ]
    net.send(configurator, f"initReserves(({_RESERVE_INPUT})[])", inputs, gas=20_000_000)
    for listing in LISTINGS:
        _configure(net, configurator, tokens[listing.symbol].address, listing)


def _configure(net: Devnet, configurator: str, asset: str, listing: Listing) -> None:
    net.send(
        configurator,
        "configureReserveAsCollateral(address,uint256,uint256,uint256)",
        asset,
        listing.loan_to_value_bps,
        listing.liquidation_threshold_bps,
        listing.liquidation_bonus_bps,
    )
    net.send(configurator, "setReserveBorrowing(address,bool)", asset, True)
    net.send(configurator, "setReserveFactor(address,uint256)", asset, 10_00)
    if listing.stable_borrowing:
        net.send(configurator, "setReserveStableRateBorrowing(address,bool)", asset, True)


def _rates() -> Iterator[int]:
    """The interest-rate curve in rays: optimal usage, base, variable and stable slopes, offsets, optimum."""
    for thousandths in (800, 0, 40, 750, 5, 750, 10, 80, 200):
        yield thousandths * RAY // 1000


def _names(token: Token) -> tuple[str, ...]:
    """Names and symbols of the aToken, the variable and the stable debt token."""
    symbol = token.symbol
    return (
        f"Aave Devnet {symbol}",
        f"aDev{symbol}",
        f"Aave Devnet Variable Debt {symbol}",
        f"variableDebtDev{symbol}",
        f"Aave Devnet Stable Debt {symbol}",
        f"stableDebtDev{symbol}",
    )


def _reserve(net: Devnet, data_provider: str, token: Token) -> Reserve:
    a_token, stable, variable = net.call(
        data_provider, "getReserveTokensAddresses(address)(address,address,address)", token.address
    )
    return Reserve(token.address, a_token, stable, variable)


def _logic(name: str) -> Artifact:
    return _aave(f"protocol/libraries/logic/{name}")


def _aave(path: str) -> Artifact:
    name = path.rsplit("/", 1)[1]
    return published(f"@aave/core-v3/artifacts/contracts/{path}.sol/{name}.json")
