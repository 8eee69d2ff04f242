"""Attention entropy against closed forms."""

import math

import pytest
import torch

from vitrail.analysis import attention_entropy
from vitrail.core.errors import ConfigError


@pytest.mark.parametrize("tokens", [1, 2, 5, 257])
def test_uniform_attention_has_all_there_is(tokens):
    uniform = torch.full((3, 2, tokens, tokens), 1 / tokens, dtype=torch.float64)
    assert attention_entropy(uniform).tolist() == pytest.approx([math.log(tokens)] * 2, abs=1e-6)
    assert attention_entropy(uniform, fraction=True).tolist() == pytest.approx([float(tokens > 1)] * 2, abs=1e-6)


def test_who_attends_to_one_token_has_none():
    assert attention_entropy(torch.eye(6).expand(2, 3, 6, 6)).tolist() == [0, 0, 0]
    corner = torch.zeros(2, 3, 6, 6)
    corner[..., 0] = 1
    assert attention_entropy(corner, fraction=True).tolist() == [0, 0, 0]


def test_heads_are_apart_and_queries_and_images_averaged():
    first = torch.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=torch.float64)
    second = torch.tensor([[0.25, 0.75], [0.25, 0.75]], dtype=torch.float64)
    attention = torch.stack([torch.stack([first, second]), torch.stack([torch.eye(2).double(), second])])
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert attention_entropy(attention).tolist() == pytest.approx([math.log(2) / 4, quarter], abs=1e-12)


def test_other_shapes_are_refused():
    with pytest.raises(ConfigError, match="shape"):
        attention_entropy(torch.zeros(3, 4, 4))
