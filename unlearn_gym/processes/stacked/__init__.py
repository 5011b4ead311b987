"""Many networks at once: the processes of a stack of environments."""
