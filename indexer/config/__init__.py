"""TOML and the shipped catalog -> typed settings, every problem told at once with its line."""
