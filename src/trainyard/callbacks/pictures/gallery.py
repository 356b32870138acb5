"""Every kind of picture. (Imported with the first drawing: matplotlib takes half a second.)"""

from trainyard.callbacks.pictures.attention import attention_of
from trainyard.callbacks.pictures.batch import batch_of
from trainyard.callbacks.pictures.boundary import boundary_of, over_time, slider_of
from trainyard.callbacks.pictures.config import config_of
from trainyard.callbacks.pictures.graph import graph_of
from trainyard.callbacks.pictures.projector import projector_of
from trainyard.callbacks.pictures.scene import Moment, Picture
from trainyard.callbacks.pictures.validation import confusion_of, mistakes_of, precision_recall_of, reliability_of

REPEATED = Moment.BETWEEN | Moment.LAST
GALLERY = (
    Picture("run/config", "config", config_of, 0.01, Moment.EARLY),
    Picture("data/training_batch", "batch", batch_of, 0.05, Moment.EARLY),
    Picture("validation/confusion", "confusion", confusion_of, 0.3, REPEATED),
    Picture("validation/mistakes", "mistakes", mistakes_of, 0.3, REPEATED),
    Picture("validation/reliability", "reliability", reliability_of, 0.3, REPEATED),
    Picture("validation/precision_recall", "precision_recall", precision_recall_of, 0.2, REPEATED),
    Picture("network/boundary_slider", "boundary", slider_of, 0.02, REPEATED, has_file=False),
    Picture("network/attention", "attention", attention_of, 0.5, REPEATED),
    Picture("network/boundary", "boundary", boundary_of, 0.2, Moment.LAST),
    Picture("network/boundary_over_time", "boundary", over_time, 0.2, Moment.LAST),
    Picture("network/graph", "graph", graph_of, 1.0, Moment.LAST),
    Picture("network/projector", "projector", projector_of, 1.0, Moment.LAST),
)
