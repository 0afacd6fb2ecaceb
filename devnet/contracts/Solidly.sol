// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// A pool with the getters and the curves of Solidly's, whose own bytecode is not on npm: volatile pools keep x * y,
/// stable ones x**3 * y + x * y**3, in 18 decimals. Tokens are sent first, then minted or swapped for; no fee.
contract SolidlyPool is ERC20("Solidly", "SOLIDLY") {
    address public immutable token0;
    address public immutable token1;
    bool public immutable stable;
    uint256 private immutable scale0;
    uint256 private immutable scale1;
    uint256 private reserve0;
    uint256 private reserve1;

    constructor(address a, address b, bool stable_) {
        (token0, token1) = a < b ? (a, b) : (b, a);
        (scale0, scale1) = (10 ** ERC20(token0).decimals(), 10 ** ERC20(token1).decimals());
        stable = stable_;
    }

    function getReserves() external view returns (uint256, uint256, uint256) {
        return (reserve0, reserve1, block.timestamp);
    }

    /// The first to come gets the root of what was sent, but for 1,000 units that nobody has.
    function mint(address to) external {
        (uint256 now0, uint256 now1) = held();
        uint256 issued = totalSupply();
        if (issued == 0) {
            _mint(address(1), 1000);
            _mint(to, Math.sqrt(now0 * now1) - 1000);
        } else {
            uint256 of0 = (now0 - reserve0) * issued / reserve0;
            uint256 of1 = (now1 - reserve1) * issued / reserve1;
            _mint(to, of0 < of1 ? of0 : of1);
        }
        (reserve0, reserve1) = (now0, now1);
    }

    /// What was sent stays; what is asked for goes, as long as the curve is kept.
    function swap(uint256 out0, uint256 out1, address to) external {
        uint256 before = kept(reserve0, reserve1);
        if (out0 > 0) ERC20(token0).transfer(to, out0);
        if (out1 > 0) ERC20(token1).transfer(to, out1);
        (reserve0, reserve1) = held();
        require(kept(reserve0, reserve1) >= before, "K");
    }

    function held() private view returns (uint256, uint256) {
        return (ERC20(token0).balanceOf(address(this)), ERC20(token1).balanceOf(address(this)));
    }

    function kept(uint256 raw0, uint256 raw1) private view returns (uint256) {
        if (!stable) return raw0 * raw1;
        (uint256 x, uint256 y) = (raw0 * 1e18 / scale0, raw1 * 1e18 / scale1);
        return Math.mulDiv(x * y / 1e18, x * x / 1e18 + y * y / 1e18, 1e18);
    }
}
