"""The report: its figures against plain counting, and that it is one inert file whatever the run holds."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from embodied.eval.markup import el
from embodied.eval.report import Times, gather
from embodied.eval.report_page import page
from embodied.store.run import Run
from tests.console.conftest import PAYLOAD, hostile
from tests.console.recorded import new_run, record

VOID = {"meta", "br", "link"}


class Reader(HTMLParser):
    """Collects tags and text, and complains about what is not nested well."""

    def __init__(self, document: bytes):
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(document.decode())
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    made = new_run(tmp_path_factory.mktemp("report") / "run", {"hall": 3, "cave": 2})
    for n, spec in enumerate(made.record.planned[:4]):
        record(made, spec, 40 * (n + 1))
    return made


def test_counts_are_those_of_the_steps(run):
    activity = gather(run).activity["cellar"]
    steps = [s for e in run.episodes() for s in run.steps(e.spec.id)]
    assert activity.steps == len(steps) == 400
    assert activity.actions == Counter(s.executed for s in steps)
    assert activity.unread == sum(not s.decision.parsed for s in steps) and activity.invalid == sum(
        s.decision.parsed and not s.valid for s in steps
    )
    assert activity.invalid + activity.unread == sum(e.invalid_actions for e in run.episodes())
    assert (
        activity.calls == 400
        and activity.retried == sum(c.reply.attempts > 1 for s in steps for c in s.decision.calls) > 0
    )


def test_cost_is_tokens_times_the_public_price(run):
    usage = [e.usage for e in run.episodes()]
    dollars = (2.5 * sum(u.input for u in usage) + 10 * sum(u.output for u in usage)) / 1e6  # gpt-4o
    assert gather(run).cost == {"cellar": pytest.approx(dollars)}
    assert f"${dollars:,.2f}" in page(gather(run), {}).decode()


def test_curve_is_the_mean_over_tasks_of_progress_so_far(run):
    curve = gather(run).curves["cellar"]
    assert curve.steps[0] == 0 and curve.steps[-1] == 160 and curve.episodes == 4
    for place in (0, 13, 30, 60):
        step = int(curve.steps[place])
        by_task: dict[str, list[float]] = {}
        for e in run.episodes():
            progress = [0.0, *(s.progress for s in run.steps(e.spec.id))]
            by_task.setdefault(e.spec.task.task, []).append(progress[min(step, e.steps)])
        assert curve.mean[place] == pytest.approx(np.mean([np.mean(v) for v in by_task.values()]))
    assert (curve.low <= curve.high).all()


def test_quantiles_within_five_percent():
    times = Times()
    values = np.random.default_rng(0).lognormal(-3, 2, 5000)
    for value in values:
        times.add(float(value))
    times.add(None)
    for share in (0.05, 0.5, 0.95):
        assert times.quantile(share) == pytest.approx(np.quantile(values, share), rel=0.06)
    assert Times().quantile(0.5) is None


def test_page_is_one_inert_file_with_every_part(run):
    document = page(gather(run), {run.record.planned[0].id: "exports/a.html"})
    read = Reader(document)
    text = " ".join(read.text)
    for part in (
        "Score",
        "Tasks",
        "Progress over steps",
        "Outcomes",
        "Actions",
        "Tokens, time and cost",
        "Settings and versions",
        "Episodes",
    ):
        assert part in read.text, part
    assert not {"script", "img", "iframe", "object", "form"} & set(read.tags) and read.tags["svg"] > 5
    assert [v for tag, name, v in read.attributes if name in ("href", "src")] == ["exports/a.html"]
    assert all(not name.startswith("on") for _, name, _ in read.attributes)
    assert not re.search(rb"https?://|url\(|@import", document), "asks nobody for anything"
    assert "4 of 5 episodes have a score" in text and "model.name" in text and "gpt-4o" in text and "nle" in text
    assert all(s.id in text for s in run.record.planned) and "fly over wall 9" in text


def test_nothing_a_model_says_is_markup(tmp_path):
    document = page(gather(hostile(tmp_path / "run")), {})
    read = Reader(document)
    assert not {"script", "img", "a"} & set(read.tags)
    assert any(PAYLOAD in text for text in read.text)
    assert (
        el("b", "<", title='"') == '<b title="&quot;">&lt;</b>'
        and el("b", el("i", "&"), None, ["x", 3]) == "<b><i>&amp;</i>x3</b>"
    )


def test_damage_is_counted_and_said(tmp_path):
    run = new_run(tmp_path / "run", {"hall": 2})
    for spec in run.record.planned:
        record(run, spec, 20)
    path = run.folder(run.record.planned[0].id) / "steps.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"garbage\n", b"\n", *lines[6:]]))
    (run.folder(run.record.planned[1].id) / "episode.json").write_text("{")
    gathered = gather(run)
    assert gathered.activity["cellar"].damaged == 2 and gathered.activity["cellar"].steps == 18
    text = page(gathered, {}).decode()
    assert (
        "2 damaged lines" in text and "episode.json is damaged" in text and "1 planned episodes have no score" in text
    )


@pytest.mark.parametrize("tasks", [{}, {"hall": 2}])
def test_an_empty_run_has_a_report(tmp_path, tasks):
    read = Reader(page(gather(new_run(tmp_path / "run", tasks)), {}))
    assert "Score" in read.text


def test_command(run, tmp_path):
    def report(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "embodied", "report", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    done = report(str(run.root), "--out", "out/r.html", "--pages")
    assert done.returncode == 0 and done.stdout.strip() == "out/r.html", done.stderr
    links = re.findall(r'href="(exports/[^"]+)"', (tmp_path / "out/r.html").read_text())
    assert len(links) == 4 and all((tmp_path / "out" / link).is_file() for link in links)
    (tmp_path / "file").write_text("")
    for arguments, words in (
        (("nowhere",), "not a run folder"),
        (("file",), "not a run folder"),
        ((str(run.root), "--out", "file/r.html"), "Cannot write"),
    ):
        done = report(*arguments)
        assert (
            done.returncode == 4
            and done.stderr.startswith("error: ")
            and words in done.stderr
            and "Traceback" not in done.stderr
        )
    assert Path(run.root / "report.html").exists() is False
