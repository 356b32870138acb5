"""Pictures: pure functions from tensors to an image."""
