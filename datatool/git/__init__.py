"""The git repository around the project, asked through the user's own `git`."""
