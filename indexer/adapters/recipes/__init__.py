"""Recipes: protocols written down as steps in TOML. What a recipe may say, its checks, and how it is read."""
