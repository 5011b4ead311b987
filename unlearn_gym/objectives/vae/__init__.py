"""Objectives of variational autoencoders alone; whatever only weighs or combines errors serves them as well."""
