"""The `trainyard` command: one parser, one file a command. Heavy imports wait until a command runs."""
