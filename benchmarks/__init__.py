"""What `make bench` runs: what Crossroads adds to the bare libraries, and how good the local answers are."""
