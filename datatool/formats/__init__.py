"""Text and bytes to values and back, for everything datatool writes; nothing here opens a file."""
