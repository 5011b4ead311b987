"""Networks, and the store of trained weights."""
