"""Figures of merit: generators of (name, value)."""
