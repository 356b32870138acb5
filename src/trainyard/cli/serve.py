"""trainyard serve: a run's network behind a page and a JSON endpoint."""

import argparse
import sys
import threading
from typing import Any

from trainyard.cli.parser import add_run, examples, open_run
from trainyard.errors import UserError, exit_at_once, without_control


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "serve",
        help="answer requests over HTTP, with a page for a browser",
        description="Answer requests for predictions over HTTP, with a page for a browser. Ctrl-C stops it, once what "
        "was asked is answered.",
        epilog=examples(
            "trainyard serve outputs/quickstart/...",
            "trainyard serve latest --port 8080 --max-batch 64",
            "curl -H 'Content-Type: image/png' --data-binary @photo.png http://127.0.0.1:8000/predict",
            "curl --json '{\"text\": \"A moving film.\"}' 'http://127.0.0.1:8000/predict?top=2'",
        ),
    )
    add_run(parser)
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free; default: 8000")
    parser.add_argument("--host", default="127.0.0.1", help="an address to listen on; default: this machine alone")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="another name of the server, of a proxy's"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps; default: auto")
    parser.add_argument("--max-batch", type=int, default=32, metavar="N", help="inputs at a time; default: 32")
    parser.add_argument("--max-queue", type=int, default=256, metavar="N", help="inputs that wait; default: 256")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the address, and serve until a signal."""
    for name in ("max_batch", "max_queue"):
        if (value := getattr(options, name)) < 1:
            raise UserError(f"--{name.replace('_', '-')}={value} must be at least 1")
    opened = open_run(options, log_stream="stderr")
    from trainyard.serving.address import is_loopback
    from trainyard.serving.limits import Limits

    def told(url: str) -> None:
        print(without_control(f"serving {opened.path} on {url} (Ctrl-C stops)"), flush=True)
        if not is_loopback(options.host):
            print(
                without_control(f"warning: --host={options.host} is open to other machines, without a password"),
                file=sys.stderr,
                flush=True,
            )

    waiting = options.max_queue
    limits = Limits(batch=options.max_batch, waiting=waiting, inputs=min(Limits.inputs, waiting))
    opened.serve(options.port, options.host, options.device, names=options.allow_host, limits=limits, told=told)
    end_with_threads()


def end_with_threads() -> None:
    """End this process even while a thread still makes an explanation for which nobody waits any more."""
    if any(thread.name.startswith("explain") for thread in threading.enumerate()):
        exit_at_once(0)
