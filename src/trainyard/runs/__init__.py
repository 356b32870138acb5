"""A run directory: what it contains, who made it, and how it is opened again."""
