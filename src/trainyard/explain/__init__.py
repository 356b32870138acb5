"""Why a network predicts what it predicts: maps of images, weights of words, checks of both."""
