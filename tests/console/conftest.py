"""Runs to look at, the viewer served by its own command, and a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from embodied.store.run import Run
from embodied.types import Episode, Step
from tests.console.recorded import new_run, record

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAYLOAD = (
    '<img src=x onerror="window.pwned=1"></script><script>window.pwned=1</script><!--<script>--><a'
    " href='javascript:pwned=1'>\u2028"
)


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> dict[str, Run]:
    """`deep`: 10,000 steps, short ones, pictures, one being played, one with damaged lines. `twin`: equal to its first
    short one up to step 30.
    """
    root = tmp_path_factory.mktemp("viewer")
    run = new_run(root / "deep", {"deep": 1, "short": 2, "pictures": 1, "playing": 1, "damaged": 1, "unplayed": 1})
    deep, short, other, pictures, playing, damaged, _ = run.record.planned
    record(run, deep, 10_000)
    record(run, short, 60)
    record(run, other, 60)
    record(run, pictures, 40, pictures=True)
    record(run, playing, 25, end=False)
    record(run, damaged, 50)
    path = run.folder(damaged.id) / "steps.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[10], lines[11] = b"\x00\x01 garbage\n", b'{"index": 11}\n'
    path.write_bytes(b"".join(lines) + b'{"index": 50, "observ')
    twin = new_run(root / "twin", {"short": 1}, agent="cot")
    assert twin.record.planned[0].seed == short.seed
    record(twin, twin.record.planned[0], 60, alter=lambda n, step: replace(step, executed="dance") if n == 30 else step)
    return {"deep": run, "twin": twin, "hostile": hostile(root / "hostile"), "empty": new_run(root / "empty", {})}


def hostile(root: Path) -> Run:
    """A run in which everything that a model or simulator may say tries to become markup."""
    run = new_run(root, {PAYLOAD: 1}, agent=PAYLOAD)
    spec = run.record.planned[0]

    def alter(n: int, step: Step) -> Step:
        call = step.decision.calls[0]
        calls = (
            replace(call, reply=replace(call.reply, text=PAYLOAD, reasoning=PAYLOAD, model=PAYLOAD, stop=PAYLOAD)),
        )
        observation = replace(step.observation, text=PAYLOAD, status=PAYLOAD, expert=PAYLOAD)
        decision = replace(step.decision, action=PAYLOAD, thought=PAYLOAD, calls=calls)
        return replace(
            step, observation=observation, decision=decision, executed=PAYLOAD, valid=False, info={PAYLOAD: PAYLOAD}
        )

    made = record(run, spec, 3, alter=alter)
    assert made is not None and made.last is not None
    writer_less = replace(
        made,
        error=PAYLOAD,
        error_kind=PAYLOAD,
        end_reason=PAYLOAD,
        last=replace(made.last, text=PAYLOAD),
        info={PAYLOAD: PAYLOAD},
    )
    _rewrite(run, writer_less)
    return run


def _rewrite(run: Run, episode: Episode) -> None:
    from embodied.store.codec import encode

    (run.folder(episode.spec.id) / "episode.json").write_bytes(encode(episode) + b"\n")


@contextmanager
def viewing(*roots: Path) -> Iterator[str]:
    """`embodied view` as a user starts it; gives the address it prints."""
    command = [sys.executable, "-m", "embodied", "view", *map(str, roots)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def address(runs) -> Iterator[Callable[[str], str]]:
    """Name of a run (or `both`) -> address of its viewer."""
    with ExitStack() as stack:
        started: dict[str, str] = {}

        def start(name: str) -> str:
            if name not in started:
                roots = [runs["deep"].root, runs["twin"].root] if name == "both" else [runs[name].root]
                started[name] = stack.enter_context(viewing(*roots))
            return started[name]

        yield start


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, or any other one that is found. By module: while Playwright is up, its event loop is the
    thread's.
    """
    path = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if path is None:
        pytest.skip("there is no Chromium here; `scripts/debian.sh python3 chromium` installs it")
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=60_000)
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A page of 1280 by 800; the test fails on any script error, refused resource or request to elsewhere."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.problems = []
    page.requested = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: page.requested.append(request.url))
    yield page
    context.close()
    assert page.problems == []
    assert all(url.startswith(("http://127.0.0.1:", "file://", "data:", "about:")) for url in page.requested)
