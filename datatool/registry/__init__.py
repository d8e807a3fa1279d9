"""Data that lives in other projects: what a repository offers at a revision, and how its bytes come here."""
