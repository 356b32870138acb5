"""Prediction and text generation with trained networks."""
