"""The command `tvl`, one verb a file."""
