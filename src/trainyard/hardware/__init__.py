"""The `hardware` config group on this machine: what `auto` means, torch's switches, how much memory there is."""
