"""The command line: words in, one operation, results out; nothing is decided here."""
