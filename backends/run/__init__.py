"""Running approaches: a comparison, the only clock, turns on this machine, work in the background."""
