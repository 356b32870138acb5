"""A trained network behind HTTP: a page and a JSON endpoint for one user or a few, on this machine."""
