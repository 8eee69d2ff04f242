"""The parts of the Vision Transformer, one file each, in the paper's words."""
