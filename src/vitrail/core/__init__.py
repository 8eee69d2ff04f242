"""What every other room stands on and what knows nothing of machine learning: errors, tables, configs, seeds, files."""
