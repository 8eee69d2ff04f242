"""The numbers behind the figures of an inspection, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.analysis.filters import Filters
from vitrail.analysis.positions import PositionBias, PositionTiles
from vitrail.core.files import as_text

Columns = dict[str, Any]


def parquet(columns: Columns) -> bytes:
    """Write a table.

    Args:
        columns: name → values, all of one length; NaN stays NaN.

    Returns:
        The content of a `.parquet` file.
    """
    import pyarrow
    from pyarrow import parquet as writer

    sink = pyarrow.BufferOutputStream()
    writer.write_table(pyarrow.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())


def of_array(names: Sequence[str], first: Sequence[int], **values: npt.NDArray[Any]) -> Columns:
    """Turn arrays of one shape into a long table.

    Args:
        names: of the dimensions, one column each.
        first: what counting begins with in each of them.
        values: name → array.

    Returns:
        One row an entry.
    """
    shape = next(iter(values.values())).shape
    places = np.indices(shape).reshape(len(shape), -1)
    counted = {name: place + start for name, place, start in zip(names, places, first, strict=True)}
    return {**counted, **{name: value.ravel() for name, value in values.items()}}


def of_filters(filters: Filters) -> Columns:
    """List every number of the components.

    Args:
        filters: as `patch_filters` gives them.

    Returns:
        component from 1; row, column, channel from 0; value; explained, part of the variance.
    """
    values = filters.components.numpy()
    explained = np.broadcast_to(filters.explained.numpy()[:, None, None, None], values.shape)
    return of_array(("component", "row", "column", "channel"), (1, 0, 0, 0), value=values, explained=explained)


def of_positions(found: Sequence[PositionTiles]) -> Columns:
    """List how alike places are, one row a place.

    Args:
        found: one set or more.

    Returns:
        layer from 0 (null: not of one block), turned, row and column from 0; similarity, a list over all places in
        raster order.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("layer", "turned", "row", "column", "similarity")}
    for one in found:
        tiles = one.tiles.numpy()
        for row, column in np.ndindex(*tiles.shape[:2]):
            values = (one.layer, one.turned, row, column, tiles[row, column].ravel())
            for name, value in zip(columns, values, strict=True):
                columns[name].append(value)
    return columns


def of_bias(bias: PositionBias) -> Columns:
    """List the bias that the patch at the centre gives to each.

    Args:
        bias: as `position_bias` gives it.

    Returns:
        layer and head, row and column from 0, bias.
    """
    return of_array(("layer", "head", "row", "column"), (0, 0, 0, 0), bias=bias.values.numpy())


def of_norms(names: Sequence[str], norms: Sequence[npt.NDArray[np.float64]], threshold: float) -> Columns:
    """List the norm of every patch.

    Args:
        names: of the images.
        norms: (rows, columns) of each.
        threshold: norms above are high.

    Returns:
        image, row and column from 0, norm, high.
    """
    places = np.concatenate([np.indices(one.shape).reshape(2, -1) for one in norms], axis=1)
    values = np.concatenate([one.ravel() for one in norms])
    images = [as_text(name) for name, one in zip(names, norms, strict=True) for _ in range(one.size)]
    return {"image": images, "row": places[0], "column": places[1], "norm": values, "high": values > threshold}
