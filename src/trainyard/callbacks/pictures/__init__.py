"""Pictures of a training while it runs: in TensorBoard, and as PNG files in the run directory."""
