"""CODA-LM's annotation files: JSON to records and back."""

from __future__ import annotations

import json
import math
from typing import Any

from embodied.driving.categories import LISTS
from embodied.driving.records import Annotation, ListedObject, Region

_TEXT = "description and explanation"
_PARTS = ("general_perception", "region_perception", "driving_suggestion")


def decode(data: bytes | str, name: str) -> Annotation:
    """Reads one annotation file.

    Args:
        data: Its content.
        name: Its name without the ending.

    Raises:
        ValueError: It is not JSON, or not of CODA-LM's form; the message says where.
    """
    try:
        body = json.loads(data, object_pairs_hook=_unique)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error})") from None
    return of_json(body, name)


def of_json(body: Any, name: str) -> Annotation:
    """The annotation of a JSON object. Raises `ValueError` where it is not of CODA-LM's form."""
    parts = _object(body, "the file")
    _known(parts, _PARTS, "the file")
    general = _object(parts["general_perception"], "general_perception")
    _known(general, (*LISTS, _TEXT), "general_perception")
    mentions = [_mention(item, group, key) for key, group in LISTS.items() for item in _list(general[key], key)]
    regions = [_region(key, value) for key, value in _object(parts["region_perception"], "region_perception").items()]
    return Annotation(
        name,
        tuple(mentions),
        _text(general[_TEXT], _TEXT),
        tuple(regions),
        _text(parts["driving_suggestion"], "driving_suggestion"),
    )


def to_json(annotation: Annotation) -> dict[str, Any]:
    """The JSON object of an annotation, keys in the order of CODA-LM's files. `of_json` takes it back."""
    lists = {key: [_item(m) for m in annotation.mentions if m.group == group] for key, group in LISTS.items()}
    regions = {r.key: {_TEXT: r.text, "box": list(r.box), "category_name": r.category} for r in annotation.regions}
    return {
        "general_perception": {**lists, _TEXT: annotation.summary},
        "region_perception": regions,
        "driving_suggestion": annotation.suggestion,
    }


def _item(mention: ListedObject) -> dict[str, str]:
    """Some lists of the data hold an empty object for a missing entry."""
    if not (mention.description or mention.explanation):
        return {}
    return {"description": mention.description, "explanation": mention.explanation}


def _mention(item: Any, group: str, key: str) -> ListedObject:
    item = _object(item, f"an item of {key!r}")
    return ListedObject(
        group,
        _text(item.get("description", ""), f"a description in {key!r}"),
        _text(item.get("explanation", ""), f"an explanation in {key!r}"),
    )


def _region(key: str, value: Any) -> Region:
    where = f"region {key}"
    value = _object(value, where)
    _known(value, (_TEXT, "box", "category_name"), where)
    box = _list(value["box"], f"the box of {where}")
    if len(box) != 4 or any(isinstance(n, bool) or not isinstance(n, int | float) or not math.isfinite(n) for n in box):
        raise ValueError(f"the box of {where} is not four numbers: {box!r}")
    return Region(
        key,
        tuple(box),
        _text(value["category_name"], f"the category of {where}"),
        _text(value[_TEXT], f"the text of {where}"),
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. If a key stands in it twice, JSON's reader would silently keep the last value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return found


def _known(found: dict[str, Any], expected: tuple[str, ...], where: str) -> None:
    """A missing or unknown key means that this is another format; reading on would lose its content."""
    if missing := [key for key in expected if key not in found]:
        raise ValueError(f"{where} has no {missing[0]!r}")
    if more := [key for key in found if key not in expected]:
        raise ValueError(f"{where} has a key that CODA-LM does not have: {more[0]!r}")


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not a JSON object")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where} is not a list")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where} is not a text")
    return value
