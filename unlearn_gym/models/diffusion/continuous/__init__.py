"""Noise levels at every real time: curves through them, the VP-SDE, and its samplers."""
