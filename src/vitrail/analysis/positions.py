"""What position information says: how alike places are, and which places a query prefers, whatever the kind.

Kinds are asked through the hooks that the model itself calls, so a new kind is shown without a line here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.position import Position
from vitrail.nn.shapes import Grid

SimilarityTiles = Float[Tensor, "rows columns rows columns"]


@dataclass(frozen=True)
class PositionTiles:
    """Hold how alike every two places are.

    Args:
        layer: block whose position it is, from 0; None for what is added before the first, or is the same in all.
        turned: False: cosine similarity of the vectors added to patches. True: for kinds that turn queries and keys,
            the cosine that is left of a query and an equal key at another place, on average over all directions.
        tiles: (rows, columns, rows, columns) float64, −1 … 1: of each place with all others.
    """

    layer: int | None
    turned: bool
    tiles: SimilarityTiles


@dataclass(frozen=True)
class PositionBias:
    """Hold what position adds to the scores of the query at the grid's centre.

    Args:
        by_content: False: what is added whatever is there. True: for kinds whose bias depends on the query, how large
            it is: its standard deviation over queries of independent normal numbers.
        values: (layers, heads, rows, columns) float64, to each patch; one layer or one head where all are the same.
    """

    by_content: bool
    values: Float[Tensor, "layers heads rows columns"]


@torch.no_grad()
def position_similarity(model: VisionTransformer, grid: Grid | None = None) -> list[PositionTiles]:
    """Compute how alike the places are to a model.

    Args:
        model: any Vision Transformer of the library.
        grid: rows and columns of patches, to which positions are carried; None for those of the config.

    Returns:
        One set of tiles for each place where position acts: before the first block, in each, or by turning; none for
        kinds that only bias scores, or do nothing.

    Source:
        Dosovitskiy et al. 2020, figures 7 (centre) and 10, for vectors that are added.
    """
    grid = grid or model.config.grid
    nothing = _zeros(model, _count(model, grid), model.config.embed_dim)
    found: list[tuple[int | None, bool, SimilarityTiles | None]]
    found = [(None, False, _cosines(model, model.position.add(nothing, model.pos_embed, grid), grid))]
    found += [(layer, False, _cosines(model, one.enter(nothing, grid), grid)) for layer, one in _layers(model)]
    found += [(layer, True, _turned(model, one, grid)) for layer, one in _layers(model)]
    return [PositionTiles(layer, turned, tiles) for layer, turned, tiles in found if tiles is not None]


@torch.no_grad()
def position_bias(model: VisionTransformer, grid: Grid | None = None) -> PositionBias | None:
    """Compute what position adds to the scores of attention, for the query at the centre.

    Args:
        model: any Vision Transformer of the library.
        grid: as for `position_similarity`.

    Returns:
        The bias, or its size where it depends on the query; None for kinds that add nothing to scores.
    """
    grid = grid or model.config.grid
    q = _zeros(model, _heads(model), _count(model, grid), _head_dim(model)).to(next(model.parameters()).dtype)
    fixed = [_bias_of_centre(model, one, q, grid) for _, one in _layers(model)]
    if any(one is not None and one.any() for one in fixed):
        return PositionBias(False, torch.stack([one for one in fixed if one is not None]))
    sizes = []
    for _, one in _layers(model):
        squares = torch.zeros(())
        for feature in range(_head_dim(model)):
            q.zero_()[..., feature] = 1
            bias = _bias_of_centre(model, one, q, grid)
            if bias is None:
                return None
            squares = squares + bias.square()
        sizes.append(squares.sqrt())
    if not sizes:
        return None
    values = torch.stack(sizes)
    shared = values[:, :1] if (values == values[:, :1]).all() else values
    return PositionBias(bool(values.any()), shared)


def _layers(model: VisionTransformer) -> list[tuple[int | None, Position]]:
    """List the positions of blocks, with the block's number; None and one alone where all blocks share it."""
    layers = model.position.by_layer
    if layers and all(one is layers[0] for one in layers):
        return [(None, layers[0])]
    return list(enumerate(layers))


def _cosines(model: VisionTransformer, added: Tensor, grid: Grid) -> SimilarityTiles | None:
    patches = added[0, model.config.tokens.count :].to("cpu", torch.float64)
    if not patches.any():
        return None
    towards = normalize(patches, dim=-1, eps=torch.finfo(torch.float64).tiny)
    return (towards @ towards.T).reshape(*grid, *grid)


def _turned(model: VisionTransformer, position: Position, grid: Grid) -> SimilarityTiles | None:
    """Turn each basis vector at every place, and see what is left of its product with itself at another place."""
    prefix, width = model.config.tokens.count, _head_dim(model)
    products = torch.zeros(grid[0] * grid[1], grid[0] * grid[1], dtype=torch.float64)
    for feature in range(width):
        q = _zeros(model, 1, _count(model, grid), width)
        q[..., feature] = 1
        queries, keys = (one[0, 0, prefix:].to("cpu", torch.float64) for one in position.rotate(q, q, grid))
        products += queries @ keys.T / width
    if torch.allclose(products, torch.ones_like(products), rtol=0, atol=1e-9):
        return None
    return products.reshape(*grid, *grid)


def _bias_of_centre(model: VisionTransformer, position: Position, q: Tensor, grid: Grid) -> Tensor | None:
    prefix = model.config.tokens.count
    bias = position.bias(q, grid)
    if bias is None:
        return None
    centre = prefix + grid[0] // 2 * grid[1] + grid[1] // 2
    return bias[0, :, centre, prefix:].to("cpu", torch.float64).reshape(-1, *grid)


def _count(model: VisionTransformer, grid: Grid) -> int:
    return model.config.tokens.count + grid[0] * grid[1]


def _heads(model: VisionTransformer) -> int:
    return model.config.block.num_heads


def _head_dim(model: VisionTransformer) -> int:
    return model.config.embed_dim // _heads(model)


def _zeros(model: VisionTransformer, *shape: int) -> Tensor:
    """Make a batch of one in double precision, or in the best that the model's device has."""
    device = next(model.parameters()).device
    return torch.zeros(1, *shape, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
