"""Words for an improvement: what its versions are called, and what must be known to read its result."""

from __future__ import annotations

from embodied.train.rounds import Curve, Point


def named(point: Point) -> str:
    """What a row is called."""
    if point.decided == "first":
        return f"{point.label}, the first"
    if point.decided == "corrected":
        return "the first, corrected live"
    if point.decided == "ceiling":
        return "the expert alone"
    return f"{point.label}, round {point.round}: {point.decided if point.decided == 'promoted' else 'refused'}"


def sentences(curve: Curve) -> list[str]:
    """What must be known to read the table."""
    found = []
    if curve.refused:
        found.append("REFUSED: this result counts for nothing, as items of the test were known before.")
    found += curve.leaks
    if curve.stopped:
        found.append(f"It ended before its last round. {curve.stopped}")
    promoted = sum(done.decided == "promoted" for done in curve.rounds)
    found.append(
        f"{promoted} of {len(curve.rounds)} versions {'was' if promoted == 1 else 'were'} promoted. The chance that one"
        f" of the gates let a version through that is not better is at most {100 * curve.false_promotion:.0f} %."
    )
    found.append(
        "The test decided nothing. Its seeds were opened by"
        f" {curve.opened} improvement{'s' if curve.opened > 1 else ''} on this machine, this one included."
    )
    return found
