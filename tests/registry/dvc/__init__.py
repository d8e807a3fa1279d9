"""The reader of DVC projects."""
