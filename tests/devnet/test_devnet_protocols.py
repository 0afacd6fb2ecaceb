"""Every protocol of the devnet answers with its own view functions, and they agree with one another."""

from __future__ import annotations

import pytest

from devnet import Addresses, Devnet, RpcError, deploy_protocols
from devnet.desk import Desk
from devnet.protocols.chainlink import OPENING_CENTS, answer_of_cents

pytestmark = pytest.mark.anvil

BALANCE = "balanceOf(address)(uint256)"
ROUND = "latestRoundData()(uint80,int256,uint256,uint256,uint80)"


def reserve_totals(net: Devnet, addresses: Addresses, symbol: str) -> tuple[int, int, int]:
    """What is supplied, owed and idle of an Aave reserve."""
    reserve = addresses.aave.reserves[symbol]
    supplied, stable, variable = (
        net.call(token, "totalSupply()(uint256)")
        for token in (reserve.a_token, reserve.stable_debt_token, reserve.variable_debt_token)
    )
    return supplied, stable + variable, net.call(reserve.underlying, BALANCE, reserve.a_token)


def test_two_chains_have_the_same_addresses_and_the_same_hash(net: Devnet, addresses: Addresses) -> None:
    with Devnet.start() as other:
        assert deploy_protocols(other) == addresses
        assert other.block(addresses.ready_block)["hash"] == net.block(addresses.ready_block)["hash"]


def test_addresses_survive_json(addresses: Addresses) -> None:
    assert Addresses.from_json(addresses.to_json()) == addresses


def test_multicall3_stands_at_its_canonical_address(net: Devnet, addresses: Addresses) -> None:
    assert addresses.multicall3 == "0xcA11bde05977b3631167028862bE2a173976CA11".lower()
    assert net.call(addresses.multicall3, "getBlockNumber()(uint256)") == net.block_number()
    assert net.call(addresses.multicall3, "getChainId()(uint256)") == addresses.chain_id


def test_multicall3_isolates_a_call_that_reverts(net: Devnet, addresses: Addresses) -> None:
    decimals = bytes.fromhex("313ce567")
    calls = [
        (addresses.token("USDC"), True, decimals),
        (addresses.hostile_tokens["RevertingDecimalsToken"], True, decimals),
    ]
    answers = net.call(addresses.multicall3, "aggregate3((address,bool,bytes)[])((bool,bytes)[])", calls)
    assert [success for success, _ in answers] == [True, False]
    assert int.from_bytes(answers[0][1]) == 6


def test_tokens_answer_their_symbol_and_decimals(net: Devnet, addresses: Addresses) -> None:
    for symbol, token in addresses.tokens.items():
        assert net.call(token.address, "symbol()(string)") == symbol
        assert net.call(token.address, "decimals()(uint8)") == token.decimals
    assert {token.decimals for token in addresses.tokens.values()} == {6, 8, 18}


def test_a_pair_holds_what_its_reserves_say(net: Devnet, addresses: Addresses, desk: Desk) -> None:
    v2 = addresses.uniswap_v2
    for name, pair in v2.pairs.items():
        symbols = name.split("/")
        tokens = [net.call(pair, f"token{side}()(address)") for side in (0, 1)]
        assert tokens == [addresses.token(symbol) for symbol in symbols]
        assert desk.reserves(name) == tuple(net.call(token, BALANCE, pair) for token in tokens)
        assert net.call(pair, "totalSupply()(uint256)") > 0


def test_the_factory_lists_every_pair(net: Devnet, addresses: Addresses) -> None:
    v2 = addresses.uniswap_v2
    listed = [
        net.call(v2.factory, "allPairs(uint256)(address)", index)
        for index in range(net.call(v2.factory, "allPairsLength()(uint256)"))
    ]
    assert listed == list(v2.pairs.values())
    assert len(listed) >= 4


def test_a_v3_pool_has_liquidity_at_the_feeds_price(net: Devnet, addresses: Addresses) -> None:
    pool = addresses.uniswap_v3.pools["WETH/USDC/500"]
    sqrt_price_x96 = net.call(pool, "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)")[0]
    usdc_of_one_weth = (sqrt_price_x96**2 * 10**18) >> 192
    assert abs(usdc_of_one_weth - 2_000 * 10**6) < 10**4
    for name, address in addresses.uniswap_v3.pools.items():
        symbol0, symbol1, fee = name.split("/")
        assert net.call(address, "token0()(address)") == addresses.token(symbol0)
        assert net.call(address, "token1()(address)") == addresses.token(symbol1)
        assert net.call(address, "fee()(uint24)") == int(fee)
        assert net.call(address, "liquidity()(uint128)") > 0


def test_a_vault_holds_what_it_says_and_shares_grow_by_a_donation(
    net: Devnet, addresses: Addresses, desk: Desk
) -> None:
    for vault in addresses.vaults.values():
        assert net.call(vault.address, "asset()(address)") == vault.asset_address
        assert net.call(vault.address, "decimals()(uint8)") == vault.decimals
        held = net.call(vault.asset_address, BALANCE, vault.address)
        assert net.call(vault.address, "totalAssets()(uint256)") == held > 0
    share = 10 ** addresses.vaults["vUSDC"].decimals
    convert = (addresses.vaults["vUSDC"].address, "convertToAssets(uint256)(uint256)", share)
    assert net.call(*convert) == 10**6
    desk.earn("vUSDC", net.call(addresses.vaults["vUSDC"].address, "totalAssets()(uint256)") // 10)
    net.mine()
    assert net.call(*convert) == 1_100_000 - 1


def test_vaults_differ_in_asset_offset_and_nesting(addresses: Addresses) -> None:
    vaults = addresses.vaults
    assert {vault.asset for vault in vaults.values()} == {"USDC", "DAI", "WETH", "vUSDC"}
    assert vaults["vWETH"].decimals == 18 + 6
    assert vaults["vvUSDC"].asset_address == vaults["vUSDC"].address


def test_aave_lists_the_reserves_and_their_tokens(net: Devnet, addresses: Addresses) -> None:
    aave = addresses.aave
    underlying = [reserve.underlying for reserve in aave.reserves.values()]
    assert list(net.call(aave.pool, "getReservesList()(address[])")) == underlying
    listed = net.call(aave.data_provider, "getAllReservesTokens()((string,address)[])")
    assert list(listed) == list(zip(aave.reserves, underlying, strict=True))
    for reserve in aave.reserves.values():
        assert net.call(
            aave.data_provider,
            "getReserveTokensAddresses(address)(address,address,address)",
            reserve.underlying,
        ) == (reserve.a_token, reserve.stable_debt_token, reserve.variable_debt_token)


def test_what_is_supplied_to_aave_is_idle_or_owed(net: Devnet, addresses: Addresses) -> None:
    for symbol in addresses.aave.reserves:
        supplied, owed, idle = reserve_totals(net, addresses, symbol)
        assert supplied > 0
        assert abs(supplied - owed - idle) <= supplied // 10**6
    assert reserve_totals(net, addresses, "DAI")[1] > reserve_totals(net, addresses, "WBTC")[1] == 0


def test_some_dai_is_owed_at_a_stable_rate(net: Devnet, addresses: Addresses) -> None:
    debt = addresses.aave.reserves["DAI"].stable_debt_token
    assert net.call(debt, "totalSupply()(uint256)") >= 50_000 * 10**18


def test_aaves_totals_move_when_users_borrow_and_repay(net: Devnet, addresses: Addresses, desk: Desk) -> None:
    user = addresses.users[0]
    supplied, owed, idle = reserve_totals(net, addresses, "WBTC")
    desk.borrow(user, "WBTC", 3 * 10**8)
    net.mine()
    assert reserve_totals(net, addresses, "WBTC") == (supplied, owed + 3 * 10**8, idle - 3 * 10**8)
    desk.repay(user, "WBTC", 10**8)
    net.mine()
    assert reserve_totals(net, addresses, "WBTC")[2] == idle - 2 * 10**8


def test_debts_grow_with_time(net: Devnet, addresses: Addresses) -> None:
    _, before, _ = reserve_totals(net, addresses, "USDC")
    net.mine(dt=30 * 86_400)
    _, after, _ = reserve_totals(net, addresses, "USDC")
    assert before < after < before * 11 // 10


def test_aave_prices_its_reserves_by_the_feeds(net: Devnet, addresses: Addresses, desk: Desk) -> None:
    desk.set_price("ETH/USD", answer_of_cents(2_345_67))
    net.mine()
    price = net.call(addresses.aave.oracle, "getAssetPrice(address)(uint256)", addresses.token("WETH"))
    assert price == 2_345_67 * 10**6


def test_a_feed_answers_through_its_proxy(net: Devnet, addresses: Addresses) -> None:
    for name, feed in addresses.feeds.items():
        round_id, answer, _, updated_at, answered_in = net.call(feed.proxy, ROUND)
        assert answer == answer_of_cents(OPENING_CENTS[name])
        assert round_id == answered_in == (1 << 64) + 1
        assert 0 < updated_at <= net.timestamp()
        assert net.call(feed.proxy, "aggregator()(address)") == feed.aggregator
        assert net.call(feed.proxy, "decimals()(uint8)") == feed.decimals == 8


def test_the_escrow_and_the_custodian_hold_ether_and_tokens(net: Devnet, addresses: Addresses) -> None:
    assert int(net.rpc("eth_getBalance", addresses.escrow, "latest"), 16) == 50 * 10**18
    assert net.rpc("eth_getCode", addresses.custodian, "latest") == "0x"
    for holder in (addresses.escrow, addresses.custodian):
        assert net.call(addresses.token("USDC"), BALANCE, holder) == 750_000 * 10**6


def test_hostile_tokens_are_as_bad_as_their_names(net: Devnet, addresses: Addresses) -> None:
    hostile, holder = addresses.hostile_tokens, addresses.escrow
    assert net.call(hostile["Bytes32Token"], "symbol()(bytes32)").rstrip(b"\0") == b"MKR"
    assert net.call(hostile["HugeDecimalsToken"], "decimals()(uint8)") == 255
    assert "\x1b" in net.call(hostile["UglyNameToken"], "symbol()(string)")
    assert len(net.call(hostile["UglyNameToken"], "name()(string)")) == 20_000
    assert net.call(hostile["EndlessToken"], BALANCE, holder) == 2**256 - 1
    balance = {"data": "0x70a08231" + holder[2:].rjust(64, "0")}
    assert len(net.rpc("eth_call", {"to": hostile["ShortAnswerToken"], **balance}, "latest")) == 2 + 31 * 2
    assert len(net.rpc("eth_call", {"to": hostile["LongAnswerToken"], **balance}, "latest")) == 2 + 2**21
    for name in ("RevertBombToken", "GasBurnerToken"):
        with pytest.raises(RpcError):
            net.rpc("eth_call", {"to": hostile[name], "gas": hex(10**6), **balance}, "latest")


def test_a_fee_is_taken_on_a_transfer(net: Devnet, addresses: Addresses) -> None:
    token, giver, taker = addresses.hostile_tokens["FeeOnTransferToken"], *addresses.users[:2]
    net.send(token, "mint(address,uint256)", giver, 1000)
    net.transact(token, "transfer(address,uint256)", taker, 1000, sender=giver)
    assert net.call(token, BALANCE, taker) == 990
