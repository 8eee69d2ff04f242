"""Images and their labels: where they come from, how they are decoded, varied and batched."""
