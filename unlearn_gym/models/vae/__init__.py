"""Variational autoencoders: the network, its bounds on the likelihood, its training, ready-made tasks."""
