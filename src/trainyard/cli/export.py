"""trainyard export: write a run's network as a file that runs without Trainyard."""

import argparse
from typing import Any

from trainyard.cli.parser import add_run, examples, open_run

FORMATS = ("onnx", "pt2", "safetensors", "executorch")


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "export",
        help="write a run's network as a file that runs without Trainyard",
        description="Write a run's best weights as a program: inputs as the dataset has them (images as bytes, texts "
        "as tokens of the tokenizer.json beside it), predictions as Run.predict returns them. It is compared with the "
        "network on validation samples, and refused if it differs by more than 1e-4. A model card is put beside it.",
        epilog=examples(
            "trainyard export outputs/quickstart/...",
            "trainyard export latest --format pt2 --out /tmp/model.pt2",
            "trainyard export outputs/imdb_gru/... --int8 --split test data.root=/data",
        ),
    )
    add_run(parser)
    parser.add_argument(
        "--format", choices=FORMATS, default="onnx",
        help="onnx (onnxruntime), pt2 (torch.export.load), safetensors (weights alone), executorch (small devices)",
    )  # fmt: skip
    parser.add_argument("--int8", action="store_true", help="weights of 8 bits, and a table of what that costs")
    parser.add_argument(
        "--dynamic", action=argparse.BooleanOptionalAction,
        help="any number of samples, of any length up to data.max_length (default but for executorch); "
        "--no-dynamic: one sample, of that length",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="default: RUN/export/model and the format's suffix")
    parser.add_argument("--split", choices=("val", "test"), default="val", help="of the table of --int8; default: val")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print how well the program agrees with the network, and the files that were written."""
    import logging

    run = open_run(options)
    done = run.export(options.format, options.out, options.int8, options.dynamic, options.split)
    log = logging.getLogger(__name__)
    kind = "int8 " if options.int8 else ""
    log.info(
        "largest difference of the %sprogram from the network: %.1e, on %d batches of real samples",
        kind, done.difference, len(done.shapes),
    )  # fmt: skip
    if done.table:
        log.info("%s\n%s", done.quantization, done.table)
    for file in done.files:
        log.info("%s  %s bytes", file, f"{file.stat().st_size:,}")
