// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Contracts whose logs say less than happens, as some on public chains do; honest until they are told otherwise.

/// An ERC-20 of shares that anyone may mint, rebase, tax, or mint in silence.
contract RestlessToken {
    string public constant name = "Restless";
    string public constant symbol = "REST";
    uint8 public constant decimals = 18;

    uint256 public index = 1e18;
    uint256 public feeBps;
    uint256 private _shares;
    mapping(address => uint256) private _sharesOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function balanceOf(address holder) external view returns (uint256) {
        return _sharesOf[holder] * index / 1e18;
    }

    function totalSupply() external view returns (uint256) {
        return _shares * index / 1e18;
    }

    function mint(address to, uint256 amount) external {
        _add(to, amount);
        emit Transfer(address(0), to, amount);
    }

    function mintInSilence(address to, uint256 amount) external {
        _add(to, amount);
    }

    function burn(uint256 amount) external {
        _remove(msg.sender, amount);
        emit Transfer(msg.sender, address(0), amount);
    }

    /// The log says what was sent; a fee of it, which arrives nowhere, is not told.
    function transfer(address to, uint256 amount) external returns (bool) {
        _remove(msg.sender, amount);
        _add(to, amount - amount * feeBps / 10_000);
        emit Transfer(msg.sender, to, amount);
        return true;
    }

    /// Every balance becomes so many times what it was.
    function rebase(uint256 numerator, uint256 denominator) external {
        index = index * numerator / denominator;
    }

    function tax(uint256 bps) external {
        feeBps = bps;
    }

    function _add(address holder, uint256 amount) private {
        uint256 shares = amount * 1e18 / index;
        _sharesOf[holder] += shares;
        _shares += shares;
    }

    function _remove(address holder, uint256 amount) private {
        uint256 shares = amount * 1e18 / index;
        _sharesOf[holder] -= shares;
        _shares -= shares;
    }
}

/// A price aggregator that anyone may answer for, and that logs each answer as Chainlink's do
/// (AggregatorV2V3Interface.sol); the published mock logs none.
contract LoudAggregator {
    uint8 public constant decimals = 8;
    uint256 public constant version = 0;
    uint256 public latestRound;
    mapping(uint256 => int256) public getAnswer;
    mapping(uint256 => uint256) public getTimestamp;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    constructor(int256 answer) {
        updateAnswer(answer);
    }

    function updateAnswer(int256 answer) public {
        latestRound++;
        getAnswer[latestRound] = answer;
        getTimestamp[latestRound] = block.timestamp;
        emit AnswerUpdated(answer, latestRound, block.timestamp);
    }

    function latestAnswer() external view returns (int256) {
        return getAnswer[latestRound];
    }

    function latestTimestamp() external view returns (uint256) {
        return getTimestamp[latestRound];
    }

    function getRoundData(uint80 round) public view returns (uint80, int256, uint256, uint256, uint80) {
        return (round, getAnswer[round], getTimestamp[round], getTimestamp[round], round);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(uint80(latestRound));
    }
}
