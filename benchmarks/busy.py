"""What a training on all cores loses when another program uses one of them:  python benchmarks/busy.py [--rounds 3]

A training step, forward and backward, of several networks, by how long an idle thread of GNU's OpenMP spins for work
before it sleeps: its default, trainyard's setting (trainyard/__init__.py), and not at all; on the machine as it is, and
with a core kept busy from another session, as by another user or from another terminal. In separate processes,
alternating. Prints the medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from freed_memory import NETWORKS, median_steps  # imports torch before trainyard, which would configure OpenMP

SOME = {name: NETWORKS[name] for name in ("transformer", "resnet18", "gru")} | {"mlp": ["experiment=mlp_bare"]}
SPINS = (None, 3_000, 0)
SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def table(options: argparse.Namespace) -> None:
    """Measure in turn, and print a line per network."""
    found: dict[int | None, list[dict[str, float]]] = {spins: [] for spins in SPINS}
    call = [sys.executable, __file__, "--one", f"--steps={options.steps}", "--networks", *options.networks]
    for _ in range(options.rounds):
        for spins, rows in found.items():
            environment = {key: value for key, value in os.environ.items() if key not in SETTINGS}
            if spins is not None:
                environment["GOMP_SPINCOUNT"] = str(spins)
            done = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout))
    for network in options.networks:
        medians = [statistics.median(row[network] for row in rows) for rows in found.values()]
        print(f"{network:<12}" + "".join(f"{median:>10,.1f}" for median in medians), flush=True)


def main() -> None:
    """The machine as it is, then with a core busy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=SOME, default=list(SOME), help="default: all")
    parser.add_argument("--one", action="store_true", help="measure once, in this process, and print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(median_steps({name: SOME[name] for name in options.networks}, options.steps)))
        return
    print(f"{'spins':<12}" + "".join(f"{'unset' if spins is None else spins:>10}" for spins in SPINS))
    print("ms a step, the machine as it is")
    table(options)
    print("with a core busy")
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        table(options)
    finally:
        other.kill()


if __name__ == "__main__":
    main()
