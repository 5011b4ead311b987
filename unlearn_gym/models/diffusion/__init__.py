"""Diffusion models: reading, training, sampling, and the ready-made tasks."""
