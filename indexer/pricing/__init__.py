"""Oracle kinds, one a file: contract answers -> readings -> quotes."""
