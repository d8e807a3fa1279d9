"""The object store on this machine: the remote's own layout, with files that can be linked."""
