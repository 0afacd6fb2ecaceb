// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// Holds ether and tokens until its owner releases them.
contract Escrow {
    using SafeERC20 for IERC20;

    address public immutable owner = msg.sender;

    error NotOwner();

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner();
        _;
    }

    receive() external payable {}

    function release(IERC20 token, address to, uint256 amount) external onlyOwner {
        token.safeTransfer(to, amount);
    }

    function releaseEther(address payable to, uint256 amount) external onlyOwner {
        (bool sent,) = to.call{value: amount}("");
        require(sent);
    }
}
