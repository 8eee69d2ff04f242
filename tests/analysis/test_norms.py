"""Artefacts are found by the rule that is stated."""

import pytest
import torch

from vitrail.analysis import high_norm_tokens, token_norms
from vitrail.core.errors import ConfigError


def test_norms_are_of_patches_alone():
    tokens = torch.tensor([[[9.0, 9.0], [3.0, 4.0], [0.0, 0.0]], [[9.0, 9.0], [6.0, 8.0], [5.0, 12.0]]])
    assert token_norms(tokens, prefix=1).tolist() == [[5, 0], [10, 13]]


def test_the_threshold_is_a_multiple_of_the_median():
    norms = torch.tensor([[1.0, 2.0, 3.0], [5.0, 7.4, 7.6]])
    found, threshold = high_norm_tokens(norms, times=1.875)
    assert threshold == pytest.approx(7.5)
    assert found.tolist() == [[False, False, False], [False, False, True]]
    _, usual = high_norm_tokens(norms)
    assert usual == pytest.approx(12)


def test_nothing_is_high_where_all_are_alike():
    assert not high_norm_tokens(torch.ones(4, 4))[0].any()
    assert not high_norm_tokens(torch.zeros(4, 4))[0].any()


def test_the_median_is_never_high():
    with pytest.raises(ConfigError, match="greater than 1"):
        high_norm_tokens(torch.ones(2), times=1)
