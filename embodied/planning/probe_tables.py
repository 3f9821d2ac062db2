"""What a probe found, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from embodied.eval.tables import Table
from embodied.planning.probe import ProbeRow


def table(rows: Sequence[ProbeRow], title: str, note: str = "") -> Table:
    """Rows of one encoder as a table."""
    lines = tuple(
        (r.descriptor, r.differing, *(None if e is None else str(e) for e in (r.differs, r.size, r.more, r.value)))
        for r in rows
    )
    return Table(
        title,
        ("descriptor", "differ", "differs: AUC", "by how much: R2", "which has more: AUC", "value: R2"),
        lines,
        note,
    )
