"""What executes a model: one file an engine, one row each."""
