"""Agents that learn from logged episodes, and those that log them."""
