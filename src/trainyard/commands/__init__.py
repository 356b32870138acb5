"""What one does with a finished run, and with no run at all."""
