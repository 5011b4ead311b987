"""Deletion requests to one pretrained model: what it was trained on, what a request asks for, and sets of requests."""
