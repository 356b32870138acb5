"""Ray on the two nodes of a stage, one core to a node; Ray itself is in a virtual environment of its own."""

import subprocess
import sys
from pathlib import Path

from stage import ROOT, Node, Stage, wait_until

PORT = 6379
VENV = ROOT / "build" / "cluster"
QUIET = {"RAY_DISABLE_IMPORT_WARNING": "1", "RAY_DEDUP_LOGS": "0", "RAY_USAGE_STATS_ENABLED": "0"}


class Ray:
    """A cluster that ends with the nodes."""

    def __init__(self, stage: Stage, python: Path) -> None:
        self.stage, self.python = stage, python
        stage.environment |= QUIET
        self.join(stage.nodes[1], "--head", f"--port={PORT}", "--include-dashboard=false")
        self.join(stage.nodes[2], f"--address={stage.nodes[1].address}:{PORT}")
        wait_until(lambda: self.living() == 2, "two living nodes in Ray's list")

    def join(self, node: Node, *words: str) -> None:
        """Start Ray on a node."""
        own = [f"--node-ip-address={node.address}", "--num-cpus=1", "--object-store-memory=100000000", "--block"]
        node.start(self.python.with_name("ray"), "start", *words, *own, log=self.stage.folder / f"ray-{node.name}.log")

    def living(self) -> int:
        """How many nodes Ray knows to live."""
        code = "import ray; ray.init('auto', log_to_driver=False); print(sum(n['Alive'] for n in ray.nodes()))"
        try:
            return int(self.stage.nodes[1].run(self.python, "-c", code).split()[-1])
        except (RuntimeError, ValueError):
            return 0


def install() -> Path:
    """The Python of an environment that has Ray and, from .venv, all the rest; made the first time (400 MB)."""
    python = VENV / "bin" / "python"
    ready = VENV / ".ready"
    if not ready.exists() or ready.stat().st_mtime < (ROOT / "constraints.txt").stat().st_mtime:
        print(f"installing Ray in {VENV.relative_to(ROOT)} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        (folder,) = VENV.glob("lib/python*/site-packages")
        (main,) = Path(sys.executable).parents[1].glob("lib/python*/site-packages")
        (folder / "below.pth").write_text(f"{main}\n")
        words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        packages = ["--constraint", ROOT / "constraints.txt", "hydra-ray-launcher", "ray"]
        subprocess.run([python, *words, *packages], check=True)
        ready.touch()
    return python
