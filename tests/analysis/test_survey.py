"""One pass over batches gives what the functions give for all images at once, for every kind of model."""

import math

import pytest
import torch

from vitrail.analysis import (
    LinearCKA,
    Survey,
    attention_distance,
    attention_entropy,
    attention_weights,
    token_similarity,
)
from vitrail.analysis.cka import gram
from vitrail.core.errors import ConfigError


def residual_stream(model, batch):
    """Go through the model's own fused blocks and keep what is between them."""
    x = model.embed(batch)
    stream = [x]
    for block, position in zip(model.blocks, model.position.by_layer, strict=True):
        x = block(x, position, model.config.grid)
        stream.append(x)
    return stream


@pytest.mark.parametrize("renormalise", [False, True])
@torch.no_grad()
def test_it_is_what_all_images_give_at_once(model, images, renormalise):
    batch = images(model, 10)
    survey = Survey(model, renormalise)
    for part in batch.split([4, 5, 1]):
        survey.add(part)
    found = survey.findings()
    weights, stream = list(attention_weights(model, batch)), residual_stream(model, batch)
    grid, patch, prefix = model.config.grid, model.config.patch_size, model.config.tokens.count
    weights = [one.expand(10, -1, -1, -1) for one in weights]
    expected = torch.stack([attention_distance(one, grid, patch, renormalise) for one in weights])
    torch.testing.assert_close(found.distance, expected, rtol=0, atol=1e-4)
    entropy = torch.stack([attention_entropy(one) for one in weights])
    torch.testing.assert_close(found.entropy, entropy, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.spread, entropy / (math.log(weights[0].shape[-1]) or 1), rtol=0, atol=1e-5)
    similarity = torch.stack([token_similarity(one, prefix).mean() for one in stream])
    torch.testing.assert_close(found.similarity, similarity, rtol=0, atol=1e-5, equal_nan=True)
    cka = LinearCKA(4)
    for part in ([one[:4] for one in stream], [one[4:9] for one in stream]):
        cka.add([gram(one) for one in part])
    torch.testing.assert_close(found.cka, cka.result(), rtol=0, atol=1e-3)
    norms = stream[-1][:, prefix:].norm(dim=-1).reshape(10, *grid).double()
    torch.testing.assert_close(torch.stack(found.norms), norms, rtol=0, atol=1e-4)
    assert (found.images, found.cka_images) == (10, 9)


def test_images_of_several_sizes(make):
    model = make(dynamic=True)
    survey = Survey(model)
    for size in ((8, 12), (4, 16)):
        survey.add(torch.randn(3, 3, *size))
    found = survey.findings()
    assert [tuple(one.shape) for one in found.norms] == [(2, 3)] * 3 + [(1, 4)] * 3
    assert found.cka is None
    assert found.distance.shape == found.spread.shape == (3, 4)


def test_a_model_without_attention_and_a_survey_of_nothing_are_refused(make):
    with pytest.raises(ConfigError, match="no attention"):
        Survey(make(depth=0))
    with pytest.raises(ConfigError, match="no image"):
        Survey(make()).findings()


def test_one_block_is_held_at_a_time(make, images):
    model = make()
    survey, alive = Survey(model), []
    batch = images(model, 4)
    project = model.blocks[2].attn.project

    def spying(*given):
        alive.append(survey.entropy[1].abs().sum().item())
        return project(*given)

    model.blocks[2].attn.project = spying
    survey.add(batch)
    assert alive[0] > 0  # block 2 was measured before block 3 was computed
