"""An opened project: where everything of it lies, read once."""
