// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

// Small contracts with the getters of protocols whose own cannot be had from npm: lists of pools, their tokens and their
// books. Whoever deploys one says what it holds.

/// Liquidity Book's pair, by the getters of version 2.0 and of 2.1.
contract LiquidityBookPair {
    address public immutable tokenX;
    address public immutable tokenY;
    uint128 private reserveX;
    uint128 private reserveY;

    constructor(address x, address y) {
        (tokenX, tokenY) = (x, y);
    }

    function setReserves(uint128 x, uint128 y) external {
        (reserveX, reserveY) = (x, y);
    }

    function getTokenX() external view returns (address) {
        return tokenX;
    }

    function getTokenY() external view returns (address) {
        return tokenY;
    }

    function getReserves() external view returns (uint128, uint128) {
        return (reserveX, reserveY);
    }

    function getReservesAndId() external view returns (uint256, uint256, uint256) {
        return (reserveX, reserveY, 1 << 23);
    }
}

/// Liquidity Book's factory, by the getters of version 2.0 and of 2.1.
contract LiquidityBookFactory {
    address[] public allLBPairs;

    function add(address pair) external {
        allLBPairs.push(pair);
    }

    function getNumberOfLBPairs() external view returns (uint256) {
        return allLBPairs.length;
    }

    function getLBPairAtIndex(uint256 id) external view returns (address) {
        return allLBPairs[id];
    }
}

/// iZiSwap's liquidity manager: it numbers its pools from 1 on, and has no count.
contract IziLikeManager {
    struct PoolMeta { address tokenX; address tokenY; uint24 fee; }

    mapping(uint128 => PoolMeta) public poolMetas;
    mapping(bytes32 => address) private pools;
    uint128 private last;

    function add(address x, address y, uint24 fee, address pool_) external {
        poolMetas[++last] = PoolMeta(x, y, fee);
        pools[keccak256(abi.encode(x, y, fee))] = pool_;
    }

    function pool(address x, address y, uint24 fee) external view returns (address) {
        return pools[keccak256(abi.encode(x, y, fee))];
    }
}

/// A pool of Curve, which reverts beyond its last coin.
contract CurveLikePool {
    address[] public coins;
    uint256[] public balances;

    constructor(address[] memory coins_, uint256[] memory balances_) {
        (coins, balances) = (coins_, balances_);
    }

    function count() external view returns (uint256) {
        return coins.length;
    }
}

/// Curve's registry: lists of eight, padded with zeros.
contract CurveLikeRegistry {
    address[] public pool_list;
    mapping(address => address) public get_lp_token;

    function add(address pool, address lpToken) external {
        pool_list.push(pool);
        get_lp_token[pool] = lpToken;
    }

    function pool_count() external view returns (uint256) {
        return pool_list.length;
    }

    function get_coins(address pool) external view returns (address[8] memory told) {
        for (uint256 i = 0; i < CurveLikePool(pool).count(); i++) told[i] = CurveLikePool(pool).coins(i);
    }

    function get_balances(address pool) external view returns (uint256[8] memory told) {
        for (uint256 i = 0; i < CurveLikePool(pool).count(); i++) told[i] = CurveLikePool(pool).balances(i);
    }
}

/// Curve's newer factory: lists as long as the pool has coins; a pool is its own LP token.
contract CurveLikeFactory {
    address[] public pool_list;

    function add(address pool) external {
        pool_list.push(pool);
    }

    function pool_count() external view returns (uint256) {
        return pool_list.length;
    }

    function get_coins(address pool) external view returns (address[] memory told) {
        told = new address[](CurveLikePool(pool).count());
        for (uint256 i = 0; i < told.length; i++) told[i] = CurveLikePool(pool).coins(i);
    }

    function get_balances(address pool) external view returns (uint256[] memory told) {
        told = new uint256[](CurveLikePool(pool).count());
        for (uint256 i = 0; i < told.length; i++) told[i] = CurveLikePool(pool).balances(i);
    }
}

/// Balancer V3's Vault, as far as it is read: pools register with a tree of settings, and it keeps their tokens.
contract BalancerV3LikeVault {
    struct TokenConfig { address token; uint8 tokenType; address rateProvider; bool paysYieldFees; }
    struct Roles { address pauseManager; address swapFeeManager; address poolCreator; }
    struct Hooks { bool a; bool b; bool c; bool d; bool e; bool f; bool g; bool h; bool i; bool j; address hooksContract; }
    struct Liquidity { bool a; bool b; bool c; bool d; }
    struct TokenInfo { uint8 tokenType; address rateProvider; bool paysYieldFees; }

    event PoolRegistered(
        address indexed pool, address indexed factory, TokenConfig[] tokenConfig, uint256 swapFeePercentage,
        uint32 pauseWindowEndTime, Roles roleAccounts, Hooks hooksConfig, Liquidity liquidityManagement
    );

    mapping(address => address[]) private tokensOf;
    mapping(address => uint256[]) private balancesOf;

    function getVaultExtension() external view returns (address) {
        return address(this);
    }

    function register(address pool, address[] memory tokens, uint256[] memory balances) external {
        (tokensOf[pool], balancesOf[pool]) = (tokens, balances);
        TokenConfig[] memory config = new TokenConfig[](tokens.length);
        for (uint256 i = 0; i < tokens.length; i++) config[i].token = tokens[i];
        Hooks memory hooks;
        Liquidity memory liquidity;
        emit PoolRegistered(pool, msg.sender, config, 1e16, 0, Roles(address(0), address(0), msg.sender), hooks, liquidity);
    }

    function getPoolTokenInfo(address pool)
        external view returns (address[] memory, TokenInfo[] memory, uint256[] memory, uint256[] memory)
    {
        uint256 count = tokensOf[pool].length;
        require(count > 0, "PoolNotRegistered");
        return (tokensOf[pool], new TokenInfo[](count), balancesOf[pool], new uint256[](count));
    }
}

/// Balancer V1's pool, as far as it is read.
contract BalancerV1LikePool {
    address[] private tokens;
    mapping(address => uint256) public getBalance;

    function bind(address token, uint256 balance) external {
        tokens.push(token);
        getBalance[token] = balance;
    }

    function getCurrentTokens() external view returns (address[] memory) {
        return tokens;
    }
}

/// Balancer V1's factory, as far as it is read.
contract BalancerV1LikeFactory {
    event LOG_NEW_POOL(address indexed caller, address indexed pool);

    mapping(address => bool) public isBPool;

    function newBPool() external returns (address pool) {
        pool = address(new BalancerV1LikePool());
        isBPool[pool] = true;
        emit LOG_NEW_POOL(msg.sender, pool);
    }
}
