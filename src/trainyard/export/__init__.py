"""A trained network as a file that runs without Trainyard: traced, written, checked, quantized, described."""
