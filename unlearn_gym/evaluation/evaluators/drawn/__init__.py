"""The evaluators of models that draw images, and the parts that they are made of."""
