"""Hydra's own test suites (hydras_own.py), in an interpreter of their own: other tests change how jobs log."""

import subprocess
import sys
from pathlib import Path

import pytest

SUITES = Path(__file__).with_name("hydras_own.py")


@pytest.mark.slow
def test_hydras_own_suites_pass() -> None:
    call = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-rA", str(SUITES)]
    done = subprocess.run(call, cwd=SUITES.parents[2], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count("PASSED") >= 17  # without the extra joblib
