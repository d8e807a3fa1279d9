"""Functions whose results are remembered: what makes a result, where it is found, who computes it, and why."""
