"""What a checkout needs: what is to be written where, and what must not be lost by it."""
