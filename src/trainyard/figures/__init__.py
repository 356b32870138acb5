"""Figures: pure functions from tensors to an image."""
