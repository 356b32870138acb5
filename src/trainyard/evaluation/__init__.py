"""The scores of a trained network, after training."""
