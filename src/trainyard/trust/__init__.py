"""What may be read from a run directory that someone else made."""
