"""Rules for two gradients: what the literature does where keeping and forgetting pull the weights apart."""
