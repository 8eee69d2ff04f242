"""The command line: one file a verb; parse, call a job, print."""
