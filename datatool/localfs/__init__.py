"""The only place that changes the local disk: atomic writes, batches, links, locks, walking."""
