"""The program: one snapshot, and the daemon and the backfill over it."""
