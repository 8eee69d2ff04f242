"""Token similarity against the mean over pairs, and known answers."""

import itertools

import pytest
import torch
from torch.nn.functional import cosine_similarity

from vitrail.analysis import token_similarity
from vitrail.core.errors import ConfigError


@pytest.mark.parametrize("prefix", [0, 1, 3])
def test_it_is_the_mean_over_pairs(prefix):
    tokens = torch.randn(3, prefix + 5, 7, dtype=torch.float64) + 0.3
    pairs = [
        cosine_similarity(tokens[:, prefix + one], tokens[:, prefix + other], dim=-1)
        for one, other in itertools.combinations(range(5), 2)
    ]
    torch.testing.assert_close(token_similarity(tokens, prefix), torch.stack(pairs).mean(dim=0), rtol=0, atol=1e-12)


def test_known_answers():
    same = torch.tensor([1.0, 2.0, -3.0]).expand(1, 4, 3) * torch.tensor([1.0, 2.0, 0.1, 9.0])[:, None]
    assert token_similarity(same).tolist() == pytest.approx([1], abs=1e-6)
    assert token_similarity(torch.eye(4)[None]).tolist() == pytest.approx([0], abs=1e-12)
    assert token_similarity(torch.tensor([[[1.0], [-2.0]]])).tolist() == pytest.approx([-1], abs=1e-12)


def test_one_patch_has_no_pair_and_none_is_refused():
    assert token_similarity(torch.ones(2, 3, 4), prefix=2).isnan().tolist() == [True, True]
    with pytest.raises(ConfigError, match="no patch"):
        token_similarity(torch.ones(2, 3, 4), prefix=3)
