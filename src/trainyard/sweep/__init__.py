"""Hyperparameter sweeps: an Optuna study behind Hydra's -m, which resumes, prunes, and runs on several machines."""
