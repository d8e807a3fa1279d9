"""Files that a program tracks: what a path is now, was and should be, and what is done about it."""
