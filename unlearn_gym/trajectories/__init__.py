"""Logged episodes: what they hold, how an environment's are recorded, and Minari data sets of them."""
