"""Why a `_target_` cannot be imported, in a sentence."""

from importlib import import_module
from importlib.util import find_spec

from trainyard.errors import did_you_mean

EXTRAS = {"timm": "timm", "transformers": "huggingface"}  # a package, and the extra of Trainyard that brings it


def import_problem(target: str) -> str:
    """What is wrong with an import path, with the nearest name or the package to install; empty if it can be imported.

    An error that a module itself raises as it is imported is not looked for.
    """
    parts = target.split(".")
    try:
        if len(parts) < 2:
            return f"_target_={target} is not an import path, as package.module.Class"
        if find_spec(parts[0]) is None:
            extra = f": pip install 'trainyard[{EXTRAS[parts[0]]}]'" if parts[0] in EXTRAS else ""
            where = "" if extra else "; a file of your own is found in the folder from which you call the command"
            return f"_target_={target}: there is no package {parts[0]}{extra}{where}"
        found = import_module(parts[0])
        for i, part in enumerate(parts[1:], start=1):
            path = ".".join(parts[:i])
            if not hasattr(found, part) and (not hasattr(found, "__path__") or find_spec(f"{path}.{part}") is None):
                names = [name for name in dir(found) if not name.startswith("_")]
                return f"_target_={target}: {path} has no {part}.{did_you_mean(part, names)}"
            found = getattr(found, part) if hasattr(found, part) else import_module(f"{path}.{part}")
    except Exception:  # whatever a module raises: instantiating it shows that
        return ""
    return ""
