// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Vault} from "contracts/Vaults.sol";

/// What the protocols of the shipped recipes show of themselves, where their authors publish no package: the getters and
/// events that are read, over real tokens. Nothing else of them.

/// A strategy of an autofarm: github.com/autofarmnetwork/AutofarmV2, StratX.
contract MinimalStrategy {
    IERC20 public immutable want;
    address public immutable elsewhere;

    constructor(IERC20 want_, address elsewhere_) {
        want = want_;
        elsewhere = elsewhere_;
    }

    /// What lies here and what it works with elsewhere.
    function wantLockedTotal() external view returns (uint256) {
        return want.balanceOf(address(this)) + want.balanceOf(elsewhere);
    }
}

/// github.com/autofarmnetwork/AutofarmV2, AutoFarmV2.poolInfo
contract MinimalFarm {
    struct Pool {
        address want;
        uint256 allocPoint;
        uint256 lastRewardBlock;
        uint256 accPerShare;
        address strat;
    }

    Pool[] public poolInfo;

    function add(address want, address strat) external {
        poolInfo.push(Pool(want, 1, block.number, 0, strat));
    }

    function poolLength() external view returns (uint256) {
        return poolInfo.length;
    }
}

/// GMX V1: github.com/gmx-io/gmx-contracts, contracts/core/Vault.sol
contract MinimalPerpetualVault {
    address[] public allWhitelistedTokens;

    function whitelist(address token) external {
        allWhitelistedTokens.push(token);
    }

    function allWhitelistedTokensLength() external view returns (uint256) {
        return allWhitelistedTokens.length;
    }
}

/// GMX V2: github.com/gmx-io/gmx-synthetics, contracts/event (EventEmitter, EventUtils)
contract MinimalEventEmitter {
    struct AddressItem { string key; address value; }
    struct AddressArray { string key; address[] value; }
    struct AddressItems { AddressItem[] items; AddressArray[] arrayItems; }
    struct UintItem { string key; uint256 value; }
    struct UintArray { string key; uint256[] value; }
    struct UintItems { UintItem[] items; UintArray[] arrayItems; }
    struct IntItem { string key; int256 value; }
    struct IntArray { string key; int256[] value; }
    struct IntItems { IntItem[] items; IntArray[] arrayItems; }
    struct BoolItem { string key; bool value; }
    struct BoolArray { string key; bool[] value; }
    struct BoolItems { BoolItem[] items; BoolArray[] arrayItems; }
    struct Bytes32Item { string key; bytes32 value; }
    struct Bytes32Array { string key; bytes32[] value; }
    struct Bytes32Items { Bytes32Item[] items; Bytes32Array[] arrayItems; }
    struct BytesItem { string key; bytes value; }
    struct BytesArray { string key; bytes[] value; }
    struct BytesItems { BytesItem[] items; BytesArray[] arrayItems; }
    struct StringItem { string key; string value; }
    struct StringArray { string key; string[] value; }
    struct StringItems { StringItem[] items; StringArray[] arrayItems; }

    struct EventLogData {
        AddressItems addressItems;
        UintItems uintItems;
        IntItems intItems;
        BoolItems boolItems;
        Bytes32Items bytes32Items;
        BytesItems bytesItems;
        StringItems stringItems;
    }

    event EventLog1(
        address msgSender,
        string eventName,
        string indexed eventNameHash,
        bytes32 indexed topic1,
        EventLogData eventData
    );

    function emitMarket(string memory name, address market, address index, address long, address short) external {
        EventLogData memory data;
        data.addressItems.items = new AddressItem[](4);
        data.addressItems.items[0] = AddressItem("marketToken", market);
        data.addressItems.items[1] = AddressItem("indexToken", index);
        data.addressItems.items[2] = AddressItem("longToken", long);
        data.addressItems.items[3] = AddressItem("shortToken", short);
        data.bytes32Items.items = new Bytes32Item[](1);
        data.bytes32Items.items[0] = Bytes32Item("salt", bytes32(uint256(1)));
        emit EventLog1(msg.sender, name, name, bytes32(uint256(uint160(market))), data);
    }
}

/// A vault from before ERC-4626, as Yearn V2's and Beefy's: yearn/yearn-vaults, beefyfinance/beefy-contracts.
contract MinimalOldVault {
    address public immutable token;
    address public immutable strategy;

    constructor(address token_, address strategy_) {
        token = token_;
        strategy = strategy_;
    }

    function want() external view returns (address) {
        return token;
    }

    function balance() public view returns (uint256) {
        return IERC20(token).balanceOf(address(this)) + IERC20(token).balanceOf(strategy);
    }

    function totalAssets() external view returns (uint256) {
        return balance();
    }
}

/// Yearn V2's registry: yearn/yearn-vaults, contracts/Registry.vy
contract MinimalVaultRegistry {
    address[] public tokens;
    mapping(address => address[]) public vaults;

    function add(address token, address vault) external {
        if (vaults[token].length == 0) tokens.push(token);
        vaults[token].push(vault);
    }

    function numTokens() external view returns (uint256) {
        return tokens.length;
    }

    function numVaults(address token) external view returns (uint256) {
        return vaults[token].length;
    }
}

/// Factories of ERC-4626 vaults (OpenZeppelin's, here): yearn/yearn-vaults-v3 (VaultFactory), morpho-org/metamorpho
/// (MetaMorphoFactory), morpho-org/vault-v2 (VaultV2Factory), euler-xyz/euler-vault-kit (GenericFactory).
contract MinimalVaultFactory {
    address[] public proxyList;

    event NewVault(address indexed vault_address, address indexed asset);
    event CreateMetaMorpho(
        address indexed metaMorpho,
        address indexed caller,
        address initialOwner,
        uint256 initialTimelock,
        address indexed asset,
        string name,
        string symbol,
        bytes32 salt
    );
    event CreateVaultV2(address indexed owner, address indexed asset, bytes32 salt, address indexed newVaultV2);

    function yearn(IERC20 asset) external {
        emit NewVault(address(new Vault(asset, "v", "v")), address(asset));
    }

    function morpho(IERC20 asset, address owner) external {
        address vault = address(new Vault(asset, "m", "m"));
        emit CreateMetaMorpho(vault, msg.sender, owner, 1 days, address(asset), "m", "m", bytes32(0));
    }

    function morphoV2(IERC20 asset, address owner) external {
        emit CreateVaultV2(owner, address(asset), bytes32(0), address(new Vault(asset, "n", "n")));
    }

    function euler(IERC20 asset, address creator) external {
        proxyList.push(address(new MinimalCreatedVault(asset, creator)));
    }

    function getProxyListLength() external view returns (uint256) {
        return proxyList.length;
    }
}

/// An ERC-4626 vault that knows who made it, as Euler's.
contract MinimalCreatedVault is Vault {
    address public immutable creator;

    constructor(IERC20 asset_, address creator_) Vault(asset_, "e", "e") {
        creator = creator_;
    }
}

/// github.com/Se7en-Seas/boring-vault: supply times the accountant's rate.
contract MinimalAccountant {
    address public immutable base;
    uint256 public rate = 1e6;

    constructor(address base_) {
        base = base_;
    }

    function report(uint256 rate_) external {
        rate = rate_;
    }
}

contract MinimalLens {
    function totalAssets(IERC20 vault, MinimalAccountant accountant) external view returns (address, uint256) {
        return (accountant.base(), vault.totalSupply() * accountant.rate() / 1e18);
    }
}

/// Pendle V2: pendle-finance/pendle-core-v2-public (IPMarketFactory, IPMarket, IStandardizedYield)
contract MinimalYieldToken {
    address public immutable yieldToken;

    constructor(address yieldToken_) {
        yieldToken = yieldToken_;
    }
}

contract MinimalMarket {
    address private immutable _sy;

    constructor(address sy_) {
        _sy = sy_;
    }

    function readTokens() external view returns (address, address, address) {
        return (_sy, address(1), address(2));
    }
}

contract MinimalMarketFactory {
    event CreateNewMarket(
        address indexed market, address indexed PT, int256 scalarRoot, int256 initialAnchor, uint256 lnFeeRateRoot
    );

    function create(address sy) external {
        emit CreateNewMarket(address(new MinimalMarket(sy)), address(1), -1, 1, 2);
    }
}

/// Rocket Pool: rocket-pool/rocketpool (RocketStorage, RocketNetworkBalances)
contract MinimalRocketStorage {
    mapping(bytes32 => address) public getAddress;

    function set(string memory name, address where) external {
        getAddress[keccak256(abi.encodePacked("contract.address", name))] = where;
    }
}

contract MinimalRocketBalances {
    uint256 public getTotalETHBalance;

    function report(uint256 total) external {
        getTotalETHBalance = total;
    }
}

/// Lido: lidofinance/core (Lido.sol)
contract MinimalPooledEther {
    function submit() external payable {}

    function getTotalPooledEther() external view returns (uint256) {
        return address(this).balance;
    }
}

/// EigenLayer: Layr-Labs/eigenlayer-contracts (IStrategyManager, StrategyBase)
contract MinimalRestakingStrategy {
    address public immutable underlyingToken;

    constructor(address token) {
        underlyingToken = token;
    }
}

contract MinimalStrategyManager {
    event StrategyAddedToDepositWhitelist(address strategy);

    function add(address token) external {
        emit StrategyAddedToDepositWhitelist(address(new MinimalRestakingStrategy(token)));
    }
}

/// Liquity V1 (liquity/dev) and V2 (liquity/bold): who names the pools, and the pools themselves.
contract MinimalTroveManager {
    address public immutable activePool;
    address public immutable defaultPool;

    constructor(address active, address default_) {
        activePool = active;
        defaultPool = default_;
    }
}

contract MinimalActivePool {
    address public immutable collToken;
    address public immutable defaultPoolAddress;

    constructor(address token, address default_) {
        collToken = token;
        defaultPoolAddress = default_;
    }
}

contract MinimalCollateralRegistry {
    address[] public getTroveManager;

    function add(address manager) external {
        getTroveManager.push(manager);
    }

    function totalCollaterals() external view returns (uint256) {
        return getTroveManager.length;
    }
}

/// Maker: makerdao/ilk-registry, src/IlkRegistry.sol
contract MinimalIlkRegistry {
    bytes32[] private _ilks;
    mapping(bytes32 => address) public join;
    mapping(bytes32 => address) public gem;

    function put(bytes32 ilk, address join_, address gem_) external {
        _ilks.push(ilk);
        join[ilk] = join_;
        gem[ilk] = gem_;
    }

    function list() external view returns (bytes32[] memory) {
        return _ilks;
    }
}
