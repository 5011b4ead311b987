"""Unlearning processes: weights, an optimizer, a stream of minibatches and an objective."""
