"""LightningDataModules: one data set per file."""
