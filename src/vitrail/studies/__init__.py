"""The questions of the ViT paper as experiments: one file a question, one row in `STUDIES` (table.py)."""
