// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {TestToken} from "contracts/TestToken.sol";

/// Tokens that answer as careless or malicious ones on a public chain do.

/// Name and symbol are bytes32, as in tokens from before ERC-20 was final.
contract Bytes32Token {
    bytes32 public constant name = "Maker";
    bytes32 public constant symbol = "MKR";
    uint8 public constant decimals = 18;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;

    function mint(address to, uint256 amount) external {
        totalSupply += amount;
        balanceOf[to] += amount;
    }
}

/// decimals() reverts with a reason.
contract RevertingDecimalsToken is TestToken {
    constructor() TestToken("No Decimals", "NODEC", 18) {}

    function decimals() public pure override returns (uint8) {
        revert("decimals are not available");
    }
}

/// decimals() answers a number that no unit can have.
contract HugeDecimalsToken is TestToken {
    constructor() TestToken("Huge Decimals", "HUGE", 255) {}
}

/// Name and symbol carry terminal escapes, a right-to-left override, markup and 20,000 letters.
contract UglyNameToken is TestToken {
    constructor() TestToken("", "", 18) {}

    function symbol() public pure override returns (string memory) {
        return unicode"\u001b[31mUSDC\u202e\u0000\n<script>alert(1)</script>";
    }

    function name() public pure override returns (string memory) {
        bytes memory letters = new bytes(20_000);
        for (uint256 i = 0; i < letters.length; i++) letters[i] = "A";
        return string(letters);
    }
}

/// balanceOf answers the largest number there is, for everyone.
contract EndlessToken is TestToken {
    constructor() TestToken("Endless", "ENDLESS", 18) {}

    function balanceOf(address) public pure override returns (uint256) {
        return type(uint256).max;
    }
}

/// balanceOf answers 31 bytes instead of 32.
contract ShortAnswerToken is TestToken {
    constructor() TestToken("Short Answer", "SHORT", 18) {}

    function balanceOf(address) public pure override returns (uint256) {
        assembly {
            return(0, 31)
        }
    }
}

/// balanceOf answers one megabyte.
contract LongAnswerToken is TestToken {
    constructor() TestToken("Long Answer", "LONG", 18) {}

    function balanceOf(address) public pure override returns (uint256) {
        assembly {
            return(0, 1048576)
        }
    }
}

/// balanceOf reverts with one megabyte of reason.
contract RevertBombToken is TestToken {
    constructor() TestToken("Revert Bomb", "RBOMB", 18) {}

    function balanceOf(address) public pure override returns (uint256) {
        assembly {
            revert(0, 1048576)
        }
    }
}

/// balanceOf burns all the gas it is given.
contract GasBurnerToken is TestToken {
    constructor() TestToken("Gas Burner", "BURN", 18) {}

    function balanceOf(address) public pure override returns (uint256 n) {
        while (true) n++;
    }
}

/// One percent of every transfer is burnt on the way.
contract FeeOnTransferToken is TestToken {
    constructor() TestToken("Fee On Transfer", "FEE", 18) {}

    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : value / 100;
        super._update(from, to, value - fee);
        if (fee > 0) super._update(from, address(0), fee);
    }
}
