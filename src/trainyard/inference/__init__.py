"""What a trained network is asked: probabilities, texts."""
