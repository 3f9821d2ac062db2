"""The viewer's server: who is let in, what is refused, what comes back."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
import pytest

from tests.console import patient
from tests.console.recorded import new_run, record


@pytest.fixture
def get(address):
    """GET below the viewer's address."""
    base = address("deep")
    return lambda path="", **parameters: patient.get(base + path, params=parameters)


def key(runs, n: int) -> str:
    return runs["deep"].record.planned[n].id


def test_the_address_is_loopback_with_a_token(address):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address("deep"))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/runs",
        "/x/api/runs",
        "/{almost}/api/runs",
        "/static/viewer.js",
        "//",
        "/%2e%2e/",
        "/{almost}/",
        "/favicon.ico",
    ],
)
def test_refused_without_the_token(address, path):
    origin, token = address("deep").rstrip("/").rsplit("/", 1)
    response = patient.get(origin + path.replace("{almost}", token[:-1]))
    assert response.status_code == 403 and "token" in response.text and "deep" not in response.text


def test_refused_under_another_host_name(address):
    assert patient.get(address("deep"), headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "static/../../../../etc/passwd",
        "static/..%2f..%2fserver.py",
        "static/%2e%2e/server.py",
        "static/index.html/..",
        "static/nothing.js",
        "static/",
        "run.json",
        "api/nothing",
    ],
)
def test_only_its_own_files_are_served(address, path):
    base = address("deep")
    with httpx.Client() as client:
        request = client.build_request("GET", base)
        # as it is, not tidied up
        request.url = httpx.URL(base).copy_with(raw_path=httpx.URL(base).raw_path + path.encode())
        response = client.send(request)
    assert response.status_code in (403, 404) and "root:" not in response.text


@pytest.mark.parametrize(
    "name",
    [
        "../../run.json",
        "..",
        ".",
        "/etc",
        "{short}/../{deep}",
        "{short}~x",
        "{short}~1",
        "{short}~../..",
        "{short}~²",
        "nothing",
    ],
)
def test_an_episode_is_one_of_the_plan(get, runs, name):
    name = name.replace("{short}", key(runs, 1)).replace("{deep}", key(runs, 0))
    for path, more in (
        ("api/episode", {}),
        ("api/steps", {"start": 0, "stop": 1}),
        ("api/image", {"digest": "0" * 64}),
    ):
        response = get(path, key=name, **more)
        assert response.status_code == 404 and "error" in response.json(), (path, response.text)


@pytest.mark.parametrize("digest", ["../../../run.json", "../" * 20 + "etc/passwd", "A" * 64, "0" * 63, "0" * 65, ""])
def test_a_picture_is_a_digest(get, runs, digest):
    assert get("api/image", key=key(runs, 3), digest=digest).status_code == 400


@pytest.mark.parametrize("range_", [("a", "2"), ("-1", "2"), ("0", ""), ("0", "9" * 30), ("²", "3")])
def test_a_range_is_two_numbers(get, runs, range_):
    response = get("api/rows", key=key(runs, 1), start=range_[0], stop=range_[1])
    assert response.status_code == 400 and "error" in response.json()


def test_headers_let_nothing_in(get):
    for path in ("", "static/viewer.js", "api/runs"):
        headers = get(path).headers
        policy = headers["content-security-policy"]
        assert (
            policy.startswith("default-src 'none'; script-src 'self';")
            and "unsafe" not in policy
            and "frame-ancestors 'none'" in policy
        )
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_answers_are_what_was_recorded(get, runs):
    run = runs["deep"]
    planned = get("api/runs").json()["episodes"]
    assert [e["key"] for e in planned] == [s.id for s in run.record.planned]
    results = get("api/results", start=0, stop=100).json()
    assert [r["outcome"] for r in results] == ["limit", "limit", "limit", "limit", None, "limit", None]
    assert [r.get("started") for r in results[4:7]] == [True, None, False]
    episode = get("api/episode", key=key(runs, 1)).json()
    steps = list(run.steps(key(runs, 1)))
    assert episode["rows"] == 60 and episode["result"]["last"]["text"] == run.episode(key(runs, 1)).last.text
    rows = get("api/rows", key=key(runs, 1), start=20, stop=30).json()
    assert [r["action"] for r in rows] == [s.executed for s in steps[20:30]]
    (step,) = get("api/steps", key=key(runs, 1), start=20, stop=21).json()
    assert step["observation"]["text"] == steps[20].observation.text
    ids = step["decision"]["calls"][0]["messages"]
    messages = get("api/messages", key=key(runs, 1), ids=",".join(ids)).json()
    texts = [messages[i]["message"]["parts"][0]["text"] for i in ids]
    assert texts == [m.parts[0].text for m in steps[20].decision.calls[0].messages], "the prompt as it was sent"


def test_answers_stay_small(get, runs):
    assert len(get("api/rows", key=key(runs, 0), start=0, stop=10_000).json()) == 500
    assert len(get("api/episode", key=key(runs, 0)).content) < 100_000, "columns of 10,000 steps are sparse"


def test_search_finds_rows_in_any_case(get, runs):
    found = get("api/search", key=key(runs, 0), words="LOOKED 77 TIMES").json()
    assert found == [77]
    assert get("api/search", key=key(runs, 0), words="BARREL, number 99").json() == [99, 999, 9999], "corrections, too"
    assert get("api/search", key=key(runs, 1), words="60 drops").json() == [60], (
        "the end, which is behind the last step"
    )
    assert get("api/search", key=key(runs, 1), words="no such words").json() == []


def test_first_difference(address, runs):
    base = address("both")
    keys = [e["key"] for e in patient.get(base + "api/runs").json()["episodes"]]
    short, other, twin = keys[1], keys[2], keys[-1]

    def difference(a: str, b: str) -> dict:
        return patient.get(base + "api/difference", params={"a": a, "b": b}).json()

    assert difference(short, twin) == {"row": 30, "what": "action"} == difference(twin, short)
    assert difference(short, other) == {"row": 0, "what": "observation"}
    assert difference(short, short) == {"row": None, "what": ""}


def test_damaged_lines_are_counted(get, runs):
    episode = get("api/episode", key=key(runs, 5)).json()
    assert episode["damaged"] == [11, 12] and episode["damaged_count"] == 2 and episode["rows"] == 48
    assert episode["shifts"] == [[0, 0], [10, 2]]


def test_an_earlier_attempt_can_be_seen(tmp_path):
    from embodied.console.viewer.library import Library

    run = new_run(tmp_path / "run", {"hall": 1})
    spec = run.record.planned[0]
    record(run, spec, 7, end=False)
    record(run, spec, 9)
    library = Library([run])
    assert library.episode(spec.id)["attempts"] == [f"{spec.id}~1"]
    assert library.episode(f"{spec.id}~1")["rows"] == 7 and library.episode(spec.id)["rows"] == 9


@pytest.mark.parametrize(
    "arguments", [["nowhere"], ["file"], ["folder"], ["good", "--port", "1"], ["good", "--episode", "nothing"]]
)
def test_bad_input_is_one_clear_sentence(tmp_path, arguments):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    new_run(tmp_path / "good", {"hall": 1})
    held = __import__("socket").socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    arguments = [str(held.getsockname()[1]) if a == "1" else a for a in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "embodied", "view", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    held.close()
    assert done.returncode in (2, 4) and done.stderr.startswith("error: ") and "Traceback" not in done.stderr


def test_without_the_extra_the_pip_line_is_said(tmp_path):
    new_run(tmp_path / "good", {"hall": 1})
    code = "import sys; sys.modules['uvicorn'] = None; from embodied.cli import main; main(['view', 'good'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (
        done.returncode == 3
        and "pip install 'embodied-suite[console]'" in done.stderr
        and "Traceback" not in done.stderr
    )
