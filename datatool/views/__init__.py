"""Results as HTML: how things look, no decisions."""
