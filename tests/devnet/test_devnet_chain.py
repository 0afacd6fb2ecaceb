"""Deploying, sending and calling on a devnet."""

from __future__ import annotations

import pytest

from devnet import Addresses, Devnet, DevnetError, RevertedError, RpcError
from devnet.artifacts import own, published
from devnet.errors import NotInstalledError

pytestmark = pytest.mark.anvil


def test_an_address_can_be_used_before_its_contract_is_mined(net: Devnet) -> None:
    token = net.deploy(own("TestToken"), "A Token", "TOK", 7)
    net.send(token, "mint(address,uint256)", net.accounts[1], 5)
    net.mine()
    assert net.call(token, "symbol()(string)") == "TOK"
    assert net.call(token, "decimals()(uint8)") == 7
    assert net.call(token, "balanceOf(address)(uint256)", net.accounts[1]) == 5


def test_all_that_was_sent_is_in_one_block_in_its_order(net: Devnet, addresses: Addresses) -> None:
    usdc = addresses.token("USDC")
    senders = (3, 1, 4, 1, 5, 2)
    sent = [net.send(usdc, "mint(address,uint256)", usdc, 1, sender=net.accounts[index]) for index in senders]
    net.mine()
    assert net.block()["transactions"] == sent


def test_a_reverted_transaction_is_an_error_with_its_reason(net: Devnet, addresses: Addresses) -> None:
    with pytest.raises(RevertedError, match=r"NotOwner|0x30cd7471"):
        net.transact(addresses.escrow, "releaseEther(address,uint256)", net.accounts[1], 1, sender=net.accounts[1])


def test_a_transaction_that_does_not_fit_is_an_error(net: Devnet, addresses: Addresses) -> None:
    usdc = addresses.token("USDC")
    for _ in range(2):
        net.send(usdc, "mint(address,uint256)", usdc, 1, gas=59_990_000)
    with pytest.raises(DevnetError, match="left out of the block"):
        net.mine()


def test_a_view_answers_as_of_the_block_it_is_asked_at(net: Devnet, addresses: Addresses) -> None:
    usdc = addresses.token("USDC")
    block = net.block()
    before = net.call(usdc, "totalSupply()(uint256)")
    net.transact(usdc, "mint(address,uint256)", usdc, 9)
    assert net.call(usdc, "totalSupply()(uint256)", at=int(block["number"], 16)) == before
    assert net.call(usdc, "totalSupply()(uint256)", at=block["hash"]) == before
    assert net.call(usdc, "totalSupply()(uint256)") == before + 9


def test_a_reverting_view_is_an_error_of_the_node(net: Devnet, addresses: Addresses) -> None:
    with pytest.raises(RpcError, match="decimals are not available"):
        net.call(addresses.hostile_tokens["RevertingDecimalsToken"], "decimals()(uint8)")


def test_transactions_go_on_after_a_reorganisation(net: Devnet, addresses: Addresses) -> None:
    usdc = addresses.token("USDC")
    net.transact(usdc, "mint(address,uint256)", usdc, 1)
    net.reorg(1)
    assert net.call(usdc, "balanceOf(address)(uint256)", usdc) == 0
    net.transact(usdc, "mint(address,uint256)", usdc, 2)
    assert net.call(usdc, "balanceOf(address)(uint256)", usdc) == 2


def test_an_unknown_contract_of_a_package_says_how_to_install_it() -> None:
    with pytest.raises(NotInstalledError, match="npm ci --prefix devnet"):
        published("@uniswap/v2-core/build/NoSuchContract.json")
