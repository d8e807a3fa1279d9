"""Content by its path, wherever it lies: here, in the cache, in a remote, in a registry."""
