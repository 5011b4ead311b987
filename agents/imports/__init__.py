"""Models of Stable-Baselines3 as agents: read without unpickling."""
