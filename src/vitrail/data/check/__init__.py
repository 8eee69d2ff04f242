"""The data check: what is wrong with labelled images before anything learns from them; needs no model and no torch."""
