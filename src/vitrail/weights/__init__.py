"""Weights in and out: the self-describing model file, and what a model reference stands for."""
