"""`html`: each episode as one file with the viewer in it."""

from __future__ import annotations

from embodied.console.viewer.library import Library
from embodied.console.viewer.page import write_page
from embodied.exchange import Export, Exported


def write(export: Export) -> Exported:
    """Writes `<episode>.html` for every episode asked for."""
    library = Library([export.run])
    return Exported([write_page(library, id_, export.out / f"{id_}.html") for id_ in export.ids])
