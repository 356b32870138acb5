"""Every kind of picture."""

from trainyard.callbacks.pictures.scene import Moment, Picture

REPEATED = Moment.BETWEEN | Moment.LAST
GALLERY = (
    Picture("run/config", "config", "config.config_of", 0.01, Moment.EARLY),
    Picture("data/training_batch", "batch", "batch.batch_of", 0.05, Moment.EARLY),
    Picture("network/boundary_points", "boundary", "boundary.keep_boundary", 0.003, REPEATED),
    Picture("validation/confusion", "confusion", "validation.confusion_of", 0.3, REPEATED),
    Picture("validation/mistakes", "mistakes", "validation.mistakes_of", 0.3, REPEATED),
    Picture("validation/reliability", "reliability", "validation.reliability_of", 0.3, REPEATED),
    Picture("validation/precision_recall", "precision_recall", "validation.precision_recall_of", 0.2, REPEATED),
    Picture("network/attention", "attention", "attention.attention_of", 0.5, REPEATED),
    Picture("network/boundary", "boundary", "boundary_figures.boundary_of", 0.2, REPEATED),
    Picture("network/boundary_slider", "boundary", "boundary_figures.slider_of", 0.2, Moment.LAST),
    Picture("network/boundary_over_time", "boundary", "boundary_figures.over_time", 0.2, Moment.LAST),
    Picture("network/graph", "graph", "graph.graph_of", 1.0, Moment.LAST),
    Picture("network/projector", "projector", "projector.projector_of", 1.0, Moment.LAST),
)
