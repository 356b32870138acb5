"""Many runs in one table: read from their directories, grouped over seeds and folds, compared."""
