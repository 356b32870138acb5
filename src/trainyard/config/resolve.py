"""Replace every interpolation of a composed config by its value."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError, MissingMandatoryValue

from trainyard.config.composition import Composed
from trainyard.errors import UserError, causes


def resolve(composed: Composed, decided: Mapping[str, Any] | None = None) -> DictConfig:
    """Return the config with all interpolations resolved, after setting the dotted keys of `decided`.

    UserError for a key that the network needs and the data lacks, and for a required value that is missing.
    """
    cfg = deepcopy(composed.cfg) if decided else composed.cfg
    for key, value in (decided or {}).items():
        OmegaConf.update(cfg, key, value)
    try:
        return DictConfig(OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True))
    except InterpolationKeyError as error:
        raise UserError(_missing_key(error, composed)) from error
    except (MissingMandatoryValue, InterpolationResolutionError) as error:
        for cause in causes(error):
            if isinstance(cause, UserError):  # from a resolver of ours
                raise cause from error
        missing = re.search(r"[Mm]issing mandatory value: (\S+)", str(error))
        if missing is None:
            raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
        raise UserError(f"{missing[1]} is required: set {missing[1]}=...") from error


def _missing_key(error: InterpolationKeyError, composed: Composed) -> str:
    fact = re.search(r"Interpolation key '([^']+)'", str(error))
    group = str(error.full_key).split(".")[0]
    choices = composed.choices
    if fact is None or group not in choices:
        return f"{error.full_key}: {str(error).splitlines()[0]}"
    node, _, _ = fact[1].partition(".")
    have = ", ".join(str(key) for key in composed.cfg[node] if not str(key).startswith("_"))
    return (
        f"{group}={choices[group]} does not fit {node}={choices.get(node)}: it needs {fact[1]}, but "
        f"{node}={choices.get(node)} has only {have}."
    )
