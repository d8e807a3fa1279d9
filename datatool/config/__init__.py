"""Settings: what can be set, where each value comes from, and changing them."""
