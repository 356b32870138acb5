"""trainyard generate: let a run's causal language model continue a text."""

import argparse
from typing import Any

from trainyard.cli.parser import RUN_HELP, examples
from trainyard.errors import without_control
from trainyard.hardware.memory_limit import check_memory_limit


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "generate",
        help="let a run's language model continue a text",
        description="Let a run's causal language model continue a text.",
        epilog=examples('trainyard generate outputs/imdb_gpt/... --prompt "This film" --tokens 60 --count 3'),
    )
    parser.add_argument("path", metavar="RUN", help=f"of a causal language model: {RUN_HELP}")
    parser.add_argument("--prompt", default="", help="the text to continue")
    parser.add_argument("--tokens", type=int, help="maximum number of new tokens; default: as many as fit")
    parser.add_argument("--count", type=int, default=1, help="how many texts")
    parser.add_argument(
        "--temperature", type=float, default=0.8, help="below 1 favors probable tokens, above 1 improbable ones"
    )
    parser.add_argument("--top-k", type=int, help="sample from the k most probable tokens; 1 is greedy")
    parser.add_argument("--top-p", type=float, default=0.95, help="sample from the fewest tokens with this probability")
    parser.add_argument("--seed", type=int, default=0, help="of the sampling")
    parser.add_argument("--trust", action="store_true", help="run the code that someone else's run names")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the texts, an empty line between them."""
    check_memory_limit()
    from trainyard.runs.load import load

    texts = load(options.path, trust=options.trust).generate(
        options.prompt, options.tokens, options.count, options.seed,
        temperature=options.temperature, top_k=options.top_k, top_p=options.top_p,
    )  # fmt: skip
    print(without_control("\n\n".join(texts)))
