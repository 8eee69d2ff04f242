"""Learning: recipes as data, the step, the loop as a generator of events, the checkpoint."""
