"""A run as one HTML file that needs no server and loads nothing: `trainyard show`."""
