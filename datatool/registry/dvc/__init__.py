"""Projects that DVC keeps: their pointers at a commit, their storage, and how its objects come here."""
