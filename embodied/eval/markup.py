"""HTML and SVG as strings that are safe to put together: text is escaped unless it is `Html` already."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any


class Html(str):
    """Markup. Only `el` makes it, so that text from a model or simulator cannot become markup."""


Child = Any
"""`Html` as it is, None for nothing, an iterable of children, anything else as escaped text."""


def el(tag: str, /, *children: Child, **attributes: Any) -> Html:
    """An element. Attributes: a trailing underscore is dropped (`class_`), others become hyphens; None and False leave
    the attribute out.
    """
    shown = "".join(
        f' {k.rstrip("_").replace("_", "-")}="{html.escape(str(v))}"'
        for k, v in attributes.items()
        if v is not None and v is not False
    )
    if tag in ("br", "meta", "link"):
        return Html(f"<{tag}{shown}>")
    return Html(f"<{tag}{shown}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Children one after another."""
    return Html("".join(_child(c) for c in children))


def raw(text: str) -> Html:
    """Text of ours that needs no escaping: a style sheet or a script."""
    return Html(text)


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return html.escape(child)
    return join(child) if isinstance(child, Iterable) else html.escape(str(child))
