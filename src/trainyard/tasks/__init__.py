"""LightningModules: one file per way from a batch to a loss."""
