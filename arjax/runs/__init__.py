"""A run on disk: its directory, its description, its checkpoints, its log; and the result in words and pictures."""
