"""`python -m indexer` is `tvl`."""

from indexer.cli.app import main

main(prog_name="tvl")
