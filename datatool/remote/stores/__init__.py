"""The stores behind URLs: one module for each library that reaches them, loaded by `remote.connect` alone."""
