"""Puts WETH9, ERC-20s of 6, 8 and 18 decimals and the hostile tokens on a devnet, and funds the users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devnet.addresses import Token
from devnet.artifacts import own, published
from devnet.chain import Devnet

# symbol: name, decimals, whole tokens for each user
PLAIN = {
    "USDC": ("USD Coin", 6, 50_000_000),
    "USDT": ("Tether USD", 6, 50_000_000),
    "DAI": ("Dai Stablecoin", 18, 50_000_000),
    "WBTC": ("Wrapped BTC", 8, 1_000),
    "LINK": ("ChainLink Token", 18, 1_000_000),
    "SCAM": ("Priced By Itself", 18, 10**12),
}
WETH_PER_USER = 20_000
HOSTILE = (
    "Bytes32Token",
    "RevertingDecimalsToken",
    "HugeDecimalsToken",
    "UglyNameToken",
    "EndlessToken",
    "ShortAnswerToken",
    "LongAnswerToken",
    "RevertBombToken",
    "GasBurnerToken",
    "FeeOnTransferToken",
)


def deploy_tokens(net: Devnet) -> dict[str, Token]:
    weth = net.deploy(published("@uniswap/v2-periphery/build/WETH9.json"))
    tokens = {"WETH": Token("WETH", weth, 18)}
    for symbol, (name, decimals, _) in PLAIN.items():
        address = net.deploy(own("TestToken"), name, symbol, decimals)
        tokens[symbol] = Token(symbol, address, decimals)
    return tokens


def fund(net: Devnet, tokens: Mapping[str, Token], users: Sequence[str]) -> None:
    """Every user wraps ether and is minted every other token."""
    for user in users:
        net.send(tokens["WETH"].address, "deposit()", sender=user, value=WETH_PER_USER * 10**18)
        for symbol, (_, decimals, whole) in PLAIN.items():
            net.send(tokens[symbol].address, "mint(address,uint256)", user, whole * 10**decimals)


def deploy_hostile(net: Devnet, holder: str) -> dict[str, str]:
    """Each hostile token by its contract's name; `holder` is minted a thousand of each."""
    hostile = {name: net.deploy(own(name)) for name in HOSTILE}
    for address in hostile.values():
        net.send(address, "mint(address,uint256)", holder, 1000 * 10**18)
    return hostile


def approve(net: Devnet, tokens: Sequence[str], users: Sequence[str], spender: str) -> None:
    """Every user lets `spender` take any amount of every token."""
    for user in users:
        for token in tokens:
            net.send(token, "approve(address,uint256)", spender, 2**256 - 1, sender=user, gas=100_000)
