"""A run survives a crash at any instant."""
