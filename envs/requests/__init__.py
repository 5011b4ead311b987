"""Environments whose episodes are deletion requests, each another one, to one pretrained model."""
