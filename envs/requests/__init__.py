"""Environments whose episodes are deletion requests, each another one, to pretrained models."""
