"""What lies on the disk: the data folder, files written aside, JSON read with suspicion."""
