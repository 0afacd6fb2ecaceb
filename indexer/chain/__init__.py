"""One chain behind its endpoints: requests that neither fail nor lie, and the blocks as they come."""
