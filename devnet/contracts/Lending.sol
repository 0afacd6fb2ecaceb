// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// What three lending protocols show of themselves, where their authors publish no package: the getters that are read,
/// over real tokens that come in, are lent out and come back. No interest, no collateral checks.
abstract contract Lender {
    uint256 internal _owed;

    function lend(IERC20 token, uint256 amount) external {
        _owed += amount;
        token.transfer(msg.sender, amount);
    }

    function repay(IERC20 token, uint256 amount) external {
        _owed -= amount;
        token.transferFrom(msg.sender, address(this), amount);
    }
}

/// Compound V3: github.com/compound-finance/comet, contracts/CometMainInterface.sol
contract MinimalComet is Lender {
    struct AssetInfo {
        uint8 offset;
        address asset;
        address priceFeed;
        uint64 scale;
        uint64 borrowCollateralFactor;
        uint64 liquidateCollateralFactor;
        uint64 liquidationFactor;
        uint128 supplyCap;
    }

    address public immutable baseToken;
    address[] private _collaterals;

    constructor(address base_, address[] memory collaterals_) {
        baseToken = base_;
        _collaterals = collaterals_;
    }

    function list(address collateral) external {
        _collaterals.push(collateral);
    }

    function replace(uint8 place, address collateral) external {
        _collaterals[place] = collateral;
    }

    function numAssets() external view returns (uint8) {
        return uint8(_collaterals.length);
    }

    function getAssetInfo(uint8 i) external view returns (AssetInfo memory) {
        return AssetInfo(i, _collaterals[i], address(0), 1e18, 8e17, 85e16, 9e17, type(uint128).max);
    }

    function totalBorrow() external view returns (uint256) {
        return _owed;
    }
}

/// Euler V2: github.com/euler-xyz/euler-vault-kit, src/EVault/IEVault.sol
contract MinimalEVault is Lender {
    address public immutable asset;

    constructor(address asset_) {
        asset = asset_;
    }

    function cash() external view returns (uint256) {
        return IERC20(asset).balanceOf(address(this));
    }

    function totalBorrows() external view returns (uint256) {
        return _owed;
    }
}

/// Euler V2: github.com/euler-xyz/euler-vault-kit, src/GenericFactory/GenericFactory.sol
contract MinimalEVaultFactory {
    address[] private _proxies;

    function create(address asset) external {
        _proxies.push(address(new MinimalEVault(asset)));
    }

    function getProxyListSlice(uint256 start, uint256 end) external view returns (address[] memory list) {
        if (end == type(uint256).max) end = _proxies.length;
        list = new address[](end - start);
        for (uint256 i; i < end - start; ++i) list[i] = _proxies[start + i];
    }
}

/// Fraxlend: github.com/FraxFinance/fraxlend, src/contracts/FraxlendPairCore.sol
contract MinimalFraxlendPair is Lender {
    address public immutable asset;
    address public immutable collateralContract;

    constructor(address asset_, address collateral_) {
        asset = asset_;
        collateralContract = collateral_;
    }

    function totalBorrow() external view returns (uint128 amount, uint128 shares) {
        return (uint128(_owed), uint128(_owed));
    }
}

/// Fraxlend: github.com/FraxFinance/fraxlend, src/contracts/FraxlendPairRegistry.sol
contract MinimalFraxlendRegistry {
    address[] private _pairs;

    function addPair(address pair) external {
        _pairs.push(pair);
    }

    function getAllPairAddresses() external view returns (address[] memory) {
        return _pairs;
    }
}
