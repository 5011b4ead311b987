"""What the processes share: optimizers, weights as one vector, BatchNorm's statistics, the order of the data."""
