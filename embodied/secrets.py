"""Secrets in the environment of this process: which variables hold them, and how they are kept out of records, logs and
workers.

The name of a variable says whether it holds a secret. Nothing here stores a value.
"""

from __future__ import annotations

import base64
import os
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from types import TracebackType
from urllib.parse import quote, quote_plus

_NAMES = re.compile(
    r"(^|_)(API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|ADMIN_?KEY|TOKEN"
    r"|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)($|_)"
    r"|(APIKEY|_KEY|_PAT|_PWD)$",
    re.IGNORECASE,
)
"""OPENAI_API_KEY, HF_TOKEN, AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, MY_SERVER_KEY, ..."""
SHORTEST = 12
"""Characters. A shorter value is not a secret but a stand-in (EMPTY, ollama, x), and may be a normal word of a
reply."""
MASK = "[key]"

_named: set[str] = set()


def know(variable: str) -> None:
    """Treats a variable as a secret, no matter its name: `model.api_key_env` may name any variable."""
    if variable:
        _named.add(variable)


def is_secret(variable: str) -> bool:
    """Whether a variable counts as a secret."""
    return variable in _named or _NAMES.search(variable) is not None


def without(environment: Mapping[str, str], allowed: Iterable[str] = ()) -> dict[str, str]:
    """`environment` without secrets and without other variables that hold the same values; those `allowed` by name
    stay.
    """
    kept = set(allowed)
    values = {
        value for name, value in environment.items() if is_secret(name) and name not in kept and len(value) >= SHORTEST
    }
    return {
        name: value for name, value in environment.items() if name in kept or not (is_secret(name) or value in values)
    }


def mask(text: str) -> str:
    """`text` with every secret of this process masked: as it is, URL-encoded, as part of JSON, or in base64."""
    for form in sorted({form for value in _values() for form in _forms(value)}, key=len, reverse=True):
        if form in text:
            text = text.replace(form, MASK)
    return text


def mask_tracebacks() -> None:
    """From now on the tracebacks that end this process are printed without secrets."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        print(mask("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)

    sys.excepthook = show


def _values() -> set[str]:
    found = {value.strip() for name, value in os.environ.items() if is_secret(name)}
    return {value for value in found if len(value) >= SHORTEST and not os.path.exists(value)}


def _forms(value: str) -> set[str]:
    data = value.encode("utf-8", "surrogateescape")
    coded = {base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("=")}
    # Within longer base64 (`user:key`) it begins at any of three places; what it shares a group with is left out.
    coded.add(base64.b64encode(data).decode()[: len(data) // 3 * 4])
    for shift in (1, 2):
        inner = base64.b64encode(b"\0" * shift + data).decode()[4:]
        coded.add(inner[: (len(data) + shift - 3) // 3 * 4])
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return {
        form
        for form in {value, quote(value, safe=""), quote(value), quote_plus(value), escaped, data.hex(), *coded}
        if len(form) >= SHORTEST
    }
