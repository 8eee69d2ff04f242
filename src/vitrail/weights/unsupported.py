"""Parts of other Vision Transformers that vitrail does not have yet, told by the names of their tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable

PARTS = (
    (r"(^|/|\.)(conv_root|block1/unit1)|patch_embed\.backbone\.", "a ResNet stem (hybrid)"),
    (r"conv_proj\.(\d|conv_)", "torchvision's convolutional stem"),
    (r"reg_token|register_tokens|storage_tokens", "register tokens"),
    (r"\.ls[12]\.gamma|\.gamma_[12]$|layer_scale", "layer scale"),
    (r"MAPHead_0|attn_pool\.|vision_model\.head\.probe", "attention pooling"),
    (r"(^|\.)(norm_pre|pre_layrnorm|ln_pre)\.", "a norm before the first block"),
    (r"attn\.(q_norm|k_norm)\.|query_norm|key_norm", "norms of queries and keys"),
    (r"mlp\.(w12|w3|weights_in|gate_proj|fc1_g)\.", "a gated MLP"),
    (r"relative_position_bias_table|rel_pos", "this table of relative positions"),
    (r"attn\.(q_bias|v_bias)$", "attention with biases of queries and values alone"),
    (r"(^|\.)decoder_", "the decoder of MAE"),
    (r"(^|\.)mask_token$", "a mask token"),
)
"""Pattern of a name → the part it belongs to; the first that is found is named."""


def lacking_part(names: Iterable[str]) -> tuple[str, str] | None:
    """Find a part that vitrail does not have.

    Args:
        names: of tensors in a file.

    Returns:
        The part, and the name that shows it; None if there is none.
    """
    names = list(names)
    for pattern, part in PARTS:
        shown = next((name for name in names if re.search(pattern, name)), None)
        if shown is not None:
            return part, shown
    return None
