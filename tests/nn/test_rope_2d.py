"""Rotary 2-D position against transformers' DINOv3, and against what a rotation is."""

import pytest
import torch
from transformers.models.dinov3_vit.configuration_dinov3_vit import DINOv3ViTConfig
from transformers.models.dinov3_vit.modeling_dinov3_vit import DINOv3ViTRopePositionEmbedding, apply_rotary_pos_emb

from vitrail.core.errors import ConfigError
from vitrail.nn.position import Layout, Rope2dConfig

HEADS, WIDTH = 2, 16


def rope(grid, prefix, **settings):
    return Rope2dConfig(**settings).build(Layout(HEADS * WIDTH, HEADS, 1, grid, prefix))


@pytest.mark.parametrize("grid", [(2, 3), (5, 2), (4, 4), (1, 5), (6, 4)], ids=str)
@pytest.mark.parametrize("prefix", [0, 1, 5], ids=["no prefix", "class token", "class token and 4 registers"])
@pytest.mark.parametrize("temperature", [100.0, 30.0])
def test_it_is_dinov3s(grid, prefix, temperature):
    config = DINOv3ViTConfig(
        hidden_size=HEADS * WIDTH, num_attention_heads=HEADS, patch_size=4, image_size=16, rope_theta=temperature
    )
    theirs = DINOv3ViTRopePositionEmbedding(config).eval()
    cos, sin = theirs(torch.zeros(1, 3, 4 * grid[0], 4 * grid[1]))
    q, k = torch.randn(2, 3, HEADS, prefix + grid[0] * grid[1], WIDTH)
    expected = apply_rotary_pos_emb(q, k, cos, sin)
    got = rope((3, 3), prefix, temperature=temperature).rotate(q, k, grid)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert torch.equal(got[0][:, :, :prefix], q[:, :, :prefix])
    assert (got[0][:, :, prefix:] - q[:, :, prefix:]).abs().amax(dim=(0, 1, 3)).min() > 0.01 or 1 in grid


def test_a_rotation_keeps_lengths_and_scores_depend_on_steps_only():
    grid = rows, columns = (4, 5)
    q, k = torch.randn(2, 1, HEADS, 1, WIDTH, dtype=torch.float64)
    turned_q, turned_k = rope(grid, 0).rotate(q.expand(-1, -1, 20, -1), k.expand(-1, -1, 20, -1), grid)
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm(dim=-1).expand(-1, -1, 20), rtol=0, atol=1e-12)
    scores = (turned_q @ turned_k.transpose(-2, -1))[0]
    by_steps = {}
    for i in range(20):
        for j in range(20):
            steps = i // columns - j // columns, i % columns - j % columns
            by_steps.setdefault(steps, []).append(scores[:, i, j])
    assert len(by_steps) == (2 * rows - 1) * (2 * columns - 1)
    for same in by_steps.values():
        torch.testing.assert_close(torch.stack(same), same[0].expand(len(same), -1), rtol=0, atol=1e-12)
    assert (by_steps[0, 1][0] - by_steps[1, 0][0]).abs().max() > 1e-3, "rows are not columns"
    torch.testing.assert_close(by_steps[0, 0][0], (q * k).sum(dim=-1)[0, :, 0], rtol=0, atol=1e-12)


def test_a_head_whose_width_is_no_multiple_of_4_is_refused():
    with pytest.raises(ConfigError, match="embed_dim / num_heads = 6 is not allowed; allowed: multiples of 4"):
        Rope2dConfig().build(Layout(12, 2, 1, (2, 2), 1))
