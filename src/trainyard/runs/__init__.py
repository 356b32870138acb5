"""A run directory: what it holds, who made it, and how it is opened again."""
