"""LightningModules: one way from a batch to a loss per file."""
