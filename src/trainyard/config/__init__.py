"""From words on the command line to one validated config, and from a config to objects."""
