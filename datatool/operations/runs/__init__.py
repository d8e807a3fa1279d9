"""Runs: what went into a program or command and came out of it, its record, and what can stand in for it."""
