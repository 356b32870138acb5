"""What a run has done, no crash may undo: exact resuming, durable files, signals, locks."""
