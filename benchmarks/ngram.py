"""The baseline of a causal language model:  python benchmarks/ngram.py [data=imdb_lm key=value ...]

An interpolated Kneser-Ney trigram (Kneser & Ney, 1995; Chen & Goodman, 1999) on the same tokens on which
`python train.py model=gpt data=imdb_lm` is trained and tested. Prints perplexity and bits per character.
"""

import sys
from math import exp, log

import numpy as np

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve


def trigram(train: np.ndarray, text: np.ndarray, vocab_size: int) -> np.ndarray:  # (N), (T) int -> (T - 2)
    """The probability of each token of `text` except the first two, given the two before it.

    Counts of trigrams; for lower orders, the number of different tokens that a bigram or unigram follows. One discount
    per order.
    """
    v = vocab_size
    train, text = train.astype(np.int64), text.astype(np.int64)
    trigrams, counts = np.unique((train[:-2] * v + train[1:-1]) * v + train[2:], return_counts=True)
    bigrams, before = np.unique(trigrams % v**2, return_counts=True)
    words, in_front = np.unique(bigrams % v, return_counts=True)
    p = smoothed(words, in_front, text[2:], np.full(len(text) - 2, 1 / v), v)
    p = smoothed(bigrams, before, text[1:-1] * v + text[2:], p, v)
    return smoothed(trigrams, counts, (text[:-2] * v + text[1:-1]) * v + text[2:], p, v)


def smoothed(grams: np.ndarray, counts: np.ndarray, asked: np.ndarray, lower: np.ndarray, v: int) -> np.ndarray:
    """Absolute discounting of sorted n-grams; what is subtracted goes to `lower`, that of the shorter context."""
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    discount = once / (once + 2 * twice) if once else 0.5  # the estimate, which needs n-grams seen once
    contexts, first = np.unique(grams // v, return_index=True)
    totals, kinds = np.add.reduceat(counts, first), np.diff(np.append(first, len(grams)))
    count, total, kind = (
        find(*pair) for pair in ((grams, counts, asked), (contexts, totals, asked // v), (contexts, kinds, asked // v))
    )
    seen = (np.maximum(count - discount, 0) + discount * kind * lower) / np.maximum(total, 1)
    return np.where(total > 0, seen, lower)


def find(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The value of each requested key; 0 for one that does not exist."""
    place = np.searchsorted(keys, asked).clip(max=len(keys) - 1)
    return np.where(keys[place] == asked, values[place], 0)


def main() -> None:
    """Count train, score val and test."""
    composed = compose(["model=gpt", "data=imdb_lm", *sys.argv[1:]])
    data = instantiate(resolve(composed).data, f"data={composed.choices['data']}")
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    streams = {split: samples.inputs.stream.numpy() for split, samples in data.splits.items()}
    print(f"train: {len(streams['train']):,} tokens, {data.vocab_size:,} kinds")
    for split in ("val", "test"):
        loss = -float(np.log(trigram(streams["train"], streams[split], data.vocab_size)).mean())
        bits = loss / log(2) / data.characters_per_token[split]
        print(f"{split}: perplexity {exp(loss):.2f}, {bits:.3f} bits per character, {len(streams[split]):,} tokens")


if __name__ == "__main__":
    main()
