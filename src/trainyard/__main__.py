"""trainyard COMMAND ...

train      [group=choice key=value ...]   train and test; --help shows the choices, -m sweeps
evaluate   RUN [--split test|val]         score a run's best weights
report     RUNS... [--into FILE.md]       the scores of many runs, over their seeds, as a table
generate   RUN [--prompt TEXT ...]        let a run's language model go on with a text
plot       activations|augment            draw activation functions, or augmented training images, into a PNG
"""

import sys
from importlib import import_module

from trainyard.errors import UserError, did_you_mean, explained

COMMANDS = ("train", "evaluate", "report", "generate", "plot")


def main(argv: list[str] | None = None) -> None:
    """Run a command. `argv` comes before the words of the command line: train.py says main(["train"])."""
    words = [*argv, *sys.argv[1:]] if argv else sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print((__doc__ or "").strip())
        return
    name, *rest = words
    with explained(debug="debug=true" in rest):
        if name not in COMMANDS:
            raise UserError(
                f"{name} is not a command.{did_you_mean(name, COMMANDS)} Choose one of {', '.join(COMMANDS)}."
            )
        import_module(f"trainyard.commands.{name}").main(
            [word for word in rest if name == "train" or word != "debug=true"]
        )


if __name__ == "__main__":
    main()
