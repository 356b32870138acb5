"""The runs on a disk: found, listed, chosen by rule, removed. Made for thousands of them, and without torch."""
