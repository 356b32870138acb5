"""The datasets and networks of the tests of resumed runs are those of these tests as well."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "durability"))
