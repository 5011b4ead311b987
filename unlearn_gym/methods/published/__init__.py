"""The benchmark's own baselines, and rules with a published row there."""
