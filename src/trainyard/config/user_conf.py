"""Where config files are: Trainyard's own conf folder and the user's, whose files come first."""

import sys
from pathlib import Path
from types import SimpleNamespace

from trainyard.errors import UserError

_argument = SimpleNamespace(folder=None)  # of --config-dir


def package_conf() -> Path:
    """Trainyard's conf folder: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    return package / "conf" if (package / "conf").is_dir() else package.parents[1] / "conf"


def set_user_conf(folder: str | None) -> None:
    """Use `folder` (of --config-dir) as the user's conf folder; UserError if it does not exist."""
    if folder and not Path(folder).is_dir():
        raise UserError(f"--config-dir {folder} is not a folder; give an existing one, or leave the option out")
    _argument.folder = folder


def user_conf_argument() -> str | None:
    """The folder given with --config-dir."""
    return _argument.folder


def user_conf() -> Path | None:
    """The user's conf folder: the one given with --config-dir, else ./conf if it exists and is not Trainyard's."""
    folder = Path(_argument.folder or "conf").resolve()
    return folder if folder.is_dir() and folder != package_conf().resolve() else None


def add_user_modules() -> None:
    """Make the modules beside the user's conf folder importable, after everything that is installed."""
    own = user_conf()
    if own and str(own.parent) not in sys.path:
        sys.path.append(str(own.parent))
