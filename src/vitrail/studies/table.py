"""The table of studies."""

from __future__ import annotations

from vitrail.core.table import Table
from vitrail.studies import position
from vitrail.studies.study import Study

STUDIES: Table[Study] = Table("study", {"position": position.STUDY})
