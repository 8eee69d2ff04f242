"""The table of studies."""

from __future__ import annotations

from vitrail.core.table import Table
from vitrail.studies import pooling, position, regularize, scaling
from vitrail.studies.study import Study

STUDIES: Table[Study] = Table(
    "study",
    {"position": position.STUDY, "scaling": scaling.STUDY, "pooling": pooling.STUDY, "regularize": regularize.STUDY},
)
