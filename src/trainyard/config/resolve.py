"""Replace every interpolation of a composed config by its value."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError, MissingMandatoryValue

from trainyard.config.composition import Composed
from trainyard.config.suggestions import fitting_options
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
        key = str(error.full_key or missing[1]) if isinstance(error, MissingMandatoryValue) else missing[1]
        raise UserError(f"{key} is required: set {key}=...") from error


def _missing_key(error: InterpolationKeyError, composed: Composed) -> str:
    fact = re.search(r"Interpolation key '([^']+)'", str(error))
    group = str(error.full_key).split(".")[0]
    choices = composed.choices
    if fact is None or group not in choices:
        return f"{error.full_key}: {str(error).splitlines()[0]}"
    node, _, _ = fact[1].partition(".")
    pair = {name: f"{name}={choices.get(name)}" for name in (group, node)}
    typed = {word.partition("=")[0] for word in composed.overrides}
    ways = []
    for kept, changed in ((group, node), (node, group)):
        if kept in typed or changed not in typed:  # what was typed is what is wanted
            names = fitting_options(changed, pair[kept], group)
            ways.append(
                f"for {pair[kept]} choose {changed}={', '.join(names)}" if names else f"no {changed} fits {pair[kept]}"
            )
    return f"{pair[group]} does not fit {pair[node]}, which has no {fact[1]}; {'; '.join(ways)}"
