"""What an object store is, and moving objects between any two of them."""
