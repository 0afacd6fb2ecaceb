"""Holdings x quotes -> what it is worth, exactly."""
