"""The HTML page of a run: plain data in, one self-contained page out. Rendering only."""
