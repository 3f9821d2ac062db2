"""HTTP requests that wait as long as a loaded machine takes; those of httpx give up after 5 seconds."""

from __future__ import annotations

from functools import partial

import httpx

from tests.console.desks import PATIENCE

get = partial(httpx.get, timeout=PATIENCE)
post = partial(httpx.post, timeout=PATIENCE)
put = partial(httpx.put, timeout=PATIENCE)
