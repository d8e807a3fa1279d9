"""The files people work on: pointers, saving to the cache, checking out from it."""
