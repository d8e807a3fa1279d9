"""One module per command; the command table names them and only the chosen one is imported."""
