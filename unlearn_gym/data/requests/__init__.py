"""Deletion requests to pretrained models: what these were trained on, what a request asks for, and sets of requests."""
