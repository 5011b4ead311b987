"""Objectives of classifiers on cross entropies: a bounded sum of two losses that are both descended."""
