"""Protocol kinds, one a file: contract answers -> holdings."""
