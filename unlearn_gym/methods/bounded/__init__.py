"""Forget losses that saturate: cross entropy on the retain set, and a term that leaves forgotten examples alone."""
