"""The table of recipes; one file for each family of rows."""

from __future__ import annotations

from vitrail.core.table import Table
from vitrail.train.recipe import Recipe
from vitrail.train.recipes.big_vision import AUGREG, BETTER_PLAIN_S16, LEVELS, augreg
from vitrail.train.recipes.deit import DEIT, DEIT3, DEIT_DISTILLED
from vitrail.train.recipes.paper import PAPER_I1K, PAPER_I21K
from vitrail.train.recipes.small import PHOTOS, SMALL, SMALL_FEW
from vitrail.train.recipes.transfer import FINETUNE, LAST_K_BLOCKS, LINEAR, LORA, PAPER_FINETUNE

RECIPES: Table[Recipe] = Table(
    "recipe",
    {
        "small": SMALL,
        "small_few": SMALL_FEW,
        "photos": PHOTOS,
        "finetune": FINETUNE,
        "linear": LINEAR,
        "last_k_blocks": LAST_K_BLOCKS,
        "lora": LORA,
        "paper_finetune": PAPER_FINETUNE,
        "paper_i1k": PAPER_I1K,
        "paper_i21k": PAPER_I21K,
        "augreg": AUGREG,
        **{f"augreg_{level}": augreg(level) for level in LEVELS},
        "better_plain_s16": BETTER_PLAIN_S16,
        "deit": DEIT,
        "deit_distilled": DEIT_DISTILLED,
        "deit3": DEIT3,
    },
)
