"""What an error is about: a hundred bodies in the formats of real services, each with what must come of it."""

from __future__ import annotations

import json

import pytest

from embodied.models.services.refusal import kind_of, said
from tests.models.error_bodies import BODIES


@pytest.mark.parametrize(
    ("service", "status", "body", "kind", "setting"), BODIES, ids=lambda v: str(v)[:40] if isinstance(v, str) else None
)
def test_what_an_error_is_about(service: str, status: int, body: object, kind: str, setting: str) -> None:
    wire = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    assert kind_of(said(status, wire)) == (kind, setting)


def test_there_are_many_of_each() -> None:
    kinds = [kind for _, _, _, kind, _ in BODIES]
    assert len(BODIES) >= 90 and all(kinds.count(kind) >= 4 for kind in set(kinds))
