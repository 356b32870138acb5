"""The network as a graph, for TensorBoard's GRAPHS."""

import logging
import warnings
from contextlib import redirect_stdout
from io import StringIO

from trainyard.callbacks.pictures.inputs import spread, val_inputs
from trainyard.callbacks.pictures.scene import Scene

log = logging.getLogger(__name__)


def graph_of(scene: Scene) -> None:
    """Trace the network with one validation sample. A network that cannot be traced has no graph, which is no error."""
    if not scene.writers or not scene.can_call or (index := spread(scene.data, 1)) is None:
        return
    inputs = val_inputs(scene, index)
    with scene.calling(mixed=False) as net, warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")  # tracing is deprecated, and TensorBoard reads nothing else
        for writer in scene.writers:
            try:
                writer.add_graph(net, inputs)
            except Exception as error:  # torch prints some of them, and raises others of any kind
                log.debug("%s has no graph in TensorBoard: %s", type(net).__name__, error)
                return
