"""The nouns, as immutable values: standard library only, no input or output."""
