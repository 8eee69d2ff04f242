"""The numbers of explanations as Parquet: every patch of every map, and every point of every curve."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vitrail.core.files import as_text
from vitrail.jobs.explanation import Explained, Explanation


def maps_table(explained: Sequence[Explained]) -> bytes:
    """Write all maps.

    Args:
        explained: the images; those that could not be used have no row.

    Returns:
        A Parquet file: path, map, row, column, value; one row a patch.
    """

    def columns() -> Iterator[dict[str, Any]]:
        for path, found in _good(explained):
            for name, one in found.maps.items():
                rows, columns = np.indices(one.values.shape, dtype=np.int32).reshape(2, -1)
                yield {"path": path, "map": name, "row": rows, "column": columns, "value": one.values.ravel()}

    return _parquet(
        columns(), {"path": "string", "map": "string", "row": "int32", "column": "int32", "value": "double"}
    )


def curves_table(explained: Sequence[Explained]) -> bytes | None:
    """Write all curves of deletion and insertion.

    Args:
        explained: the images.

    Returns:
        A Parquet file: path, map, repeat, fraction, deletion, insertion; one row a point. Random orders are the map
        "random", numbered by repeat; of the others repeat is 0. None if nothing was measured.
    """

    def columns() -> Iterator[dict[str, Any]]:
        for path, found in _good(explained):
            if found.faithfulness is None:
                continue
            named = [(name, 0, one) for name, one in found.faithfulness.curves.items()]
            for name, repeat, one in [*named, *(("random", i, one) for i, one in enumerate(found.faithfulness.chance))]:
                points = {"fraction": one.fractions, "deletion": one.deletion, "insertion": one.insertion}
                yield {"path": path, "map": name, "repeat": np.full(len(one.fractions), repeat), **points}

    if all(found.faithfulness is None for _, found in _good(explained)):
        return None
    numbers = dict.fromkeys(("fraction", "deletion", "insertion"), "double")
    return _parquet(columns(), {"path": "string", "map": "string", "repeat": "int32", **numbers})


def _good(explained: Sequence[Explained]) -> Iterator[tuple[str, Explanation]]:
    for one in explained:
        if one.explanation is not None:
            yield as_text(one.path), one.explanation


def _parquet(parts: Iterator[dict[str, Any]], kinds: dict[str, str]) -> bytes:
    """Write parts below each other; a value that is no array is that of all rows of its part."""
    import pyarrow
    from pyarrow import parquet

    given = list(parts)
    counts = [max(len(one) for one in part.values() if isinstance(one, np.ndarray)) for part in given]
    columns = {}
    for name, kind in kinds.items():
        values = [part[name] for part in given]
        if kind == "string":
            column = pyarrow.array(np.repeat(np.array(values, dtype=object), counts).tolist(), pyarrow.string())
            columns[name] = column.dictionary_encode()
        else:
            joined = np.concatenate(values) if values else np.empty(0)
            columns[name] = pyarrow.array(joined).cast(pyarrow.type_for_alias(kind))
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()
