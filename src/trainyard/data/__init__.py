"""LightningDataModules: one dataset per file, on the three base classes in base.py, images.py and text.py."""
