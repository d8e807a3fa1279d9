"""What lies in a directory, what is remembered of it, and what changed."""
