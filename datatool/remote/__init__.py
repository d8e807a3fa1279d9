"""Object stores elsewhere: pushed to and fetched from by any number of machines, without a lock."""
