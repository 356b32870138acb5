"""Let a run's causal language model go on with a text."""

import argparse

from trainyard.run import Run


def main(argv: list[str]) -> None:
    """trainyard generate RUN [--prompt "This film"] [--tokens 100] [--temperature 0.8] [--top-k 50] [--top-p 0.95]"""
    parser = argparse.ArgumentParser(prog="trainyard generate", description=__doc__)
    parser.add_argument("run", help="the run directory of a causal language model, outputs/...")
    parser.add_argument("--prompt", default="", help="how the text begins")
    parser.add_argument("--tokens", type=int, help="how many at most; as many as the context holds")
    parser.add_argument("--count", type=int, default=1, help="how many texts")
    parser.add_argument("--temperature", type=float, default=0.8, help="below 1: likelier tokens, above: bolder ones")
    parser.add_argument("--top-k", type=int, help="draw from the k likeliest tokens; 1 is greedy")
    parser.add_argument("--top-p", type=float, default=0.95, help="draw from the fewest tokens of this probability")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trust", action="store_true", help="run the code that a run of someone else's names")
    options = parser.parse_args(argv)
    texts = Run(options.run, trust=options.trust).generate(
        options.prompt, options.tokens, options.count, options.seed,
        temperature=options.temperature, top_k=options.top_k, top_p=options.top_p,
    )  # fmt: skip
    print("\n\n".join(texts))
