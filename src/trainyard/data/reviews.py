"""Short generated reviews whose meaning depends on negation: a text dataset that needs no download."""

from typing import Any

import torch

from trainyard.data.loading.hashing import stable_hash
from trainyard.data.text import Text

THINGS = ("film", "story", "plot", "cast", "music", "ending", "script", "scene", "hero", "dialogue")
GOOD = ("good", "great", "fine", "clever", "moving", "funny", "lovely", "brilliant")
BAD = ("bad", "poor", "dull", "stupid", "boring", "silly", "ugly", "awful")
SUBJECTS = ("I", "we", "critics", "friends", "people", "you")
VERBS = ("thought", "felt", "said", "wrote")


class Reviews(Text):
    """Sentences like "I never thought that the film was dull", which is positive.

    Two in five are negated, in both classes, and the negation is far from the word that it negates: a bag of words or
    word pairs classifies three sentences in five correctly; a network that reads the sequence can classify all.
    """

    def __init__(self, size: int, test_size: int, **text: Any) -> None:
        super().__init__(**text)
        if min(size, test_size) < 20:
            raise ValueError(f"size={size} and test_size={test_size} must both be at least 20")
        self.sizes = {"train": size, "test": test_size}

    def fingerprint(self) -> str:
        return str(stable_hash(*(text for split in self.sizes for text in self.texts(split)[0])))

    def texts(self, split: str) -> tuple[list[str], list[int]]:
        generator = torch.Generator().manual_seed(stable_hash("reviews", split))
        drawn = torch.randint(1 << 30, (self.sizes[split], 6), generator=generator).tolist()
        pairs = [write_review(numbers) for numbers in drawn]
        return [text for text, _ in pairs], [label for _, label in pairs]


def write_review(numbers: list[int]) -> tuple[str, int]:
    """A sentence and its label from six random numbers."""
    label, negated, *rest = (numbers[0] % 2, numbers[1] % 5 < 2, *numbers[2:])
    choices = (SUBJECTS, VERBS, THINGS, GOOD if label != negated else BAD)
    subject, verb, thing, word = (words[number % len(words)] for words, number in zip(choices, rest, strict=True))
    return f"{subject} {'never' if negated else 'always'} {verb} that the {thing} was {word}", label
