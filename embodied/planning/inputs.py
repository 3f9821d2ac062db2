"""What an agent is given of the paths: pictures, descriptors in words, or both."""

from __future__ import annotations

from embodied.errors import UsageError
from embodied.registry import unknown

INPUTS = ("image", "image+descriptors", "descriptors")


def inputs_of(wanted: str | None, image: bool, env: str) -> str:
    """The kind of inputs: where none is named, `image` with pictures and `descriptors` without.

    Raises:
        UnknownName: No such kind; `env` is where they are listed.
        UsageError: It does not go with having pictures or not.
    """
    if wanted is None:
        return "image" if image else "descriptors"
    if wanted not in INPUTS:
        raise unknown(f"kind of inputs of {env}", wanted, list(INPUTS), f"embodied show {env}")
    if ("image" in wanted) != image:
        way = (
            "Add --image (image=True)."
            if "image" in wanted
            else "Play with --text (image=False), or set inputs to image+descriptors."
        )
        raise UsageError(f"inputs={wanted} goes {'with' if 'image' in wanted else 'without'} pictures. {way}")
    return wanted
