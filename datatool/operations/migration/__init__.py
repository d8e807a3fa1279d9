"""What DVC and Git LFS keep, taken over."""
