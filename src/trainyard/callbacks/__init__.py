"""Thin hooks into Lightning's Trainer."""
