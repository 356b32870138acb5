"""tune=lr and tune=batch_size: a value is looked for, in place of a run."""
