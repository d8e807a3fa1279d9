"""Functions, scripts and commands whose results are remembered: what determines them, and the records of their runs."""
