"""Sizes of encoders, by the letters of the papers. Data only; torch is not imported here."""

from __future__ import annotations

from typing import Any

from vitrail.core.table import Table

SIZES: Table[dict[str, Any]] = Table(
    "size",
    {
        "pico": {"embed_dim": 64, "depth": 2, "num_heads": 2, "mlp_ratio": 2.0},
        "nano": {"embed_dim": 64, "depth": 4, "num_heads": 4, "mlp_ratio": 2.0},
        "micro": {"embed_dim": 128, "depth": 6, "num_heads": 4, "mlp_ratio": 2.0},
        "mini": {"embed_dim": 192, "depth": 9, "num_heads": 6, "mlp_ratio": 2.0},
        "mu": {"embed_dim": 32, "depth": 1, "num_heads": 2},
        "Ti": {"embed_dim": 192, "depth": 12, "num_heads": 3},
        "S": {"embed_dim": 384, "depth": 12, "num_heads": 6},
        "M": {"embed_dim": 512, "depth": 12, "num_heads": 8},
        "B": {"embed_dim": 768, "depth": 12, "num_heads": 12},
        "L": {"embed_dim": 1024, "depth": 24, "num_heads": 16},
        "So400m": {"embed_dim": 1152, "depth": 27, "num_heads": 16, "mlp_ratio": 269 / 72},
        "H": {"embed_dim": 1280, "depth": 32, "num_heads": 16},
        "g": {"embed_dim": 1408, "depth": 40, "num_heads": 16, "mlp_ratio": 48 / 11},
        "g-opt": {"embed_dim": 1536, "depth": 40, "num_heads": 16},
        "G": {"embed_dim": 1664, "depth": 48, "num_heads": 16, "mlp_ratio": 64 / 13},
        "G-opt": {"embed_dim": 1536, "depth": 48, "num_heads": 16, "mlp_ratio": 16 / 3},
        "e": {"embed_dim": 1792, "depth": 56, "num_heads": 16, "mlp_ratio": 60 / 7},
    },
)
"""Ti to G: Dosovitskiy et al. 2020, table 1, and "Scaling Vision Transformers" (arXiv 2106.04560), table 2. So400m,
g-opt, G-opt, e and mu: big_vision's `decode_variant` (So400m: arXiv 2305.13035)."""

LONG_NAMES = {
    "Ti": "tiny", "S": "small", "M": "medium", "B": "base", "L": "large", "H": "huge", "g": "giant", "G": "gigantic",
}  # fmt: skip
