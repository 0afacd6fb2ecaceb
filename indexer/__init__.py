"""TVL of DeFi protocols, read from contracts at a pinned block and priced by on-chain oracles."""

__version__ = "0.1.0"
