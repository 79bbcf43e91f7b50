"""Causal building blocks that at least two models use."""
