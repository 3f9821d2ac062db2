"""Boards: who stands on which, who is ranked, and between which ranks."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from embodied.errors import StoreError
from embodied.eval.leaderboard import plain
from embodied.eval.leaderboard.board import boards
from embodied.eval.leaderboard.ranking import Standing, difference_p, rank_ranges
from embodied.eval.leaderboard.site import write_site
from embodied.eval.results import read
from embodied.eval.statistics import Spread, spread_of, stratify
from embodied.exchange.balrog.reading import read_submission
from embodied.quantities import coverage, dollars, short
from tests.eval.runs import make_run


def model(name: str, provider: str = "openai", **more) -> dict:
    return {"model": {"provider": provider, "name": name}, **more}


def scores(chance: float, seed: int, n: int = 40) -> list[float]:
    return [float(x < chance) for x in np.random.default_rng(seed).random(n)]


@pytest.fixture
def runs(tmp_path):
    """Three whole runs of one suite (two alike, one far better), one with failures, and one of another task."""
    return [
        read(make_run(tmp_path / "good", {("a", "x"): scores(0.9, 1)}, suite="s", config=model("gpt-5"))),
        read(make_run(tmp_path / "one", {("a", "x"): scores(0.4, 2)}, suite="s", config=model("gpt-4o", image=True))),
        read(
            make_run(
                tmp_path / "two",
                {("a", "x"): scores(0.4, 3)},
                suite="s",
                config=model("own", "compatible"),
                kwargs={"rules": "balrog"},
            )
        ),
        read(make_run(tmp_path / "holes", {("a", "x"): [1.0] * 39 + [None]}, suite="s", config=model("gpt-5-mini"))),
        read(make_run(tmp_path / "other", {("b", "y"): [1.0, 0.0]}, config=model("gpt-5"))),
    ]


def test_a_board_holds_what_played_the_same_tasks(runs):
    made = boards(runs)
    assert [(b.title, len(b.entries)) for b in made] == [("s", 4), ("b", 1)]
    names = [e.settings.name for e in made[0].entries]
    assert names[0] == "gpt-5 · naive" and names[-1] == "gpt-5-mini · naive"
    assert [e.settings.open_model for e in made[0].entries] == [
        False,
        *(e.settings.open_model for e in made[0].entries[1:3]),
        False,
    ]
    assert {e.settings.rules for e in made[0].entries} == {"embodied", "balrog"} and sum(
        e.settings.vision for e in made[0].entries
    ) == 1


def test_ranges_hold_every_possible_rank(runs):
    entries = {e.settings.model: e for e in boards(runs)[0].entries}
    assert entries["openai/gpt-5"].ranks == (1, 1) and entries["openai/gpt-5"].place == 1
    assert entries["openai/gpt-4o"].ranks == entries["compatible/own"].ranks == (2, 3)


def test_missing_episodes_are_unranked_unless_asked_for(runs):
    last = boards(runs)[0].entries[-1]
    assert (
        not last.ranked
        and last.place is None
        and last.total.coverage == 39 / 40
        and "1 of 40 planned episodes have no score (1 infra failure)." in last.notes
    )
    asked = boards(runs, partial=True)[0].entries
    assert asked[0].settings.model == "openai/gpt-5-mini" and all(e.ranked for e in asked)


def test_options_make_another_board(tmp_path):
    a = read(make_run(tmp_path / "a", {("a", "x"): [1, 0]}, kwargs={"max_steps": 20, "image": True}))
    b = read(make_run(tmp_path / "b", {("a", "x"): [1, 0]}, kwargs={"max_steps": 20}))
    c = read(make_run(tmp_path / "c", {("a", "x"): [1, 0]}, kwargs={"max_steps": 30}))
    assert {b.title: len(b.entries) for b in boards([a, b, c])} == {"a · max_steps 20": 2, "a · max_steps 30": 1}
    assert len({e.key for b in boards([a, b, c]) for e in b.entries}) == 3


def test_cost_is_known_where_the_price_is(runs, tmp_path):
    cost = {e.settings.model: e.cost for b in boards(runs) for e in b.entries}
    assert cost["openai/gpt-5"] > 0 and cost["compatible/own"] is None
    priced = make_run(
        tmp_path / "priced", {("a", "x"): [1, 1]}, config=model("own", "compatible", run={"price": [1.0, 1.0, 10.0]})
    )
    assert boards([read(priced)])[0].entries[0].cost == pytest.approx(2 * (100 * 1 + 10 * 10) / 1e6)
    free = make_run(tmp_path / "free", {("a", "x"): [1, 1]}, config=model("smollm2", "gguf"))
    assert boards([read(free)])[0].entries[0].cost == 0
    agent = make_run(tmp_path / "agent", {("a", "x"): [1, 1]}, config={"agent": {"policy": "expert"}, "model": {}})
    assert boards([read(agent)])[0].entries[0].cost is None


def test_empty_and_unscored_runs_stand_below(tmp_path):
    nothing = read(make_run(tmp_path / "nothing", {}))
    failed = read(make_run(tmp_path / "failed", {("a", "x"): [None, None]}))
    one = read(make_run(tmp_path / "one", {("a", "x"): [1, float("nan")]}))
    made = boards([nothing, failed, one])
    assert {b.title for b in made} == {"a", "nothing played"}
    assert all(not e.ranked for b in made for e in b.entries)
    write_site(made, tmp_path / "site", {})
    assert boards([]) == [] and write_site([], tmp_path / "none", {})


def test_a_published_summary_stands_beside_runs(balrog_data, tmp_path):
    run = read_submission(balrog_data / "submissions/VLM__20240930_naive-gpt-4o", tmp_path / "run").run
    ours = make_run(
        tmp_path / "ours",
        {(e, t): [0.1] * 2 for e, t in vision_tasks()},
        suite="balrog",
        kwargs={"rules": "balrog", "image": True},
        config={"image": True},
    )
    (board,) = boards([read(run), read(ours)])
    published = next(e for e in board.entries if e.summary_only)
    assert (
        published.total.score == pytest.approx(0.2256)
        and published.total.interval is None
        and published.total.no_interval
    )
    assert (
        published.settings.imported == "balrog"
        and published.settings.vision
        and published.ranked
        and "nethack" in published.environments
    )
    assert board.title == "balrog · VLM"


def test_boards_follow_the_track_of_a_submission(balrog_data, tmp_path):
    """A submission stands under the heading it was published under, whatever its settings say of pictures."""
    shutil.copytree(balrog_data / "submissions/VLM__20240930_naive-gpt-4o", tmp_path / "LLM" / "text")
    summary = json.loads((tmp_path / "LLM" / "text" / "summary.json").read_text())
    (tmp_path / "LLM" / "text" / "summary.json").write_text(
        json.dumps({k: v for k, v in summary.items() if k != "agent"})
    )
    shutil.copytree(tmp_path / "LLM" / "text", tmp_path / "VLM" / "seeing")
    runs = [
        read(read_submission(tmp_path / track / name, tmp_path / name).run)
        for track, name in (("LLM", "text"), ("VLM", "seeing"))
    ]
    made = boards(runs)
    assert sorted(b.title for b in made) == ["balrog · LLM", "balrog · VLM"]
    assert {b.title: b.entries[0].settings.vision for b in made} == {"balrog · LLM": False, "balrog · VLM": True}
    assert read_submission(tmp_path / "VLM" / "seeing", tmp_path / "seeing").run.record == runs[1].record


def test_equal_scores_share_a_rank(tmp_path):
    made = boards(
        [
            read(make_run(tmp_path / name, {("a", "x"): values}))
            for name, values in (("a", [1, 0]), ("b", [0, 1]), ("c", [1, 1]), ("d", [0, 0]))
        ]
    )
    assert [e.place for e in made[0].entries] == [1, 2, 2, 4]


def test_a_share_is_only_whole_where_nothing_is_missing():
    assert [coverage(n, 225) for n in (225, 224, 1, 0)] == ["100 %", "99 %", "0 %", "0 %"] and coverage(0, 0) == "–"


def test_a_run_with_a_hole_is_never_said_to_be_whole(tmp_path):
    whole, hole = (
        make_run(tmp_path / "whole", {("a", "x"): [1] * 225}),
        make_run(tmp_path / "hole", {("a", "x"): [1] * 224 + [None]}),
    )
    write_site(boards([read(whole), read(hole)]), tmp_path / "site", {})
    page = (tmp_path / "site/index.html").read_text()
    assert "99 % played, unranked" in page and "100 % played" not in page
    assert "99 %" in (tmp_path / "site/leaderboard.md").read_text()


def vision_tasks():
    from embodied.eval.suites import suite

    return [(env, task) for env, task, _ in suite("balrog").tasks if env != "textworld"]


def standing(values, seeds=None) -> Standing:
    strata = stratify({("a", "x"): values})
    return Standing(
        float(np.mean(values)),
        spread_of(strata),
        {("a", "x"): strata[0]},
        {("a", "x"): dict(zip(seeds, values, strict=True))} if seeds else {},
    )


def test_tests_between_entries_are_t_tests():
    from scipy import stats

    rng = np.random.default_rng(4)
    x, y = rng.normal(0.6, 0.2, 12), rng.normal(0.5, 0.2, 12)
    paired = difference_p(standing(x, range(12)), standing(y, range(12)))
    apart = difference_p(standing(x, range(12)), standing(y, range(50, 62)))
    assert paired == pytest.approx(stats.ttest_rel(x, y).pvalue)
    assert apart == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue)
    assert difference_p(standing(x), Standing(0.0, None)) == 1.0


def test_rank_ranges_hold_the_true_ranks():
    """Simulation, 200 boards of five: all true ranks lie in their ranges at once in 95 % of boards, less three standard
    errors.
    """
    rng = np.random.default_rng(5)
    truth = np.array([0.7, 0.62, 0.5, 0.5, 0.3])
    held = 0
    for _ in range(200):
        ranges = rank_ranges(
            [
                Standing(float(v.mean()), Spread(float(v.std(ddof=1) / 6), 35.0))
                for v in rng.normal(truth[:, None], 0.2, (5, 36))
            ]
        )
        possible = [(1 + (truth > t).sum(), (truth >= t).sum()) for t in truth]
        held += all(low <= a and b <= high for (low, high), (a, b) in zip(ranges, possible, strict=True))
    assert held / 200 >= 0.95 - 0.047


# --------------------------------------------------------------------------- what is written


def test_json_csv_and_markdown_say_the_same(runs):
    made = boards(runs)
    first = json.loads(plain.as_json(made))["boards"][0]["entries"][0]
    rows = list(csv.DictReader(io.StringIO(plain.as_csv(made))))
    assert first["total"]["score"] == float(rows[0]["score"]) and first["ranks"] == [
        int(rows[0]["rank_from"]),
        int(rows[0]["rank_to"]),
    ]
    assert [r["environment"] for r in rows[:2]] == ["all", "a"]
    table = plain.as_markdown(made)
    assert (
        f"| 1 | gpt-5 · naive | {100 * first['total']['score']:.1f} (" in table
        and "| – | gpt-5-mini · naive |" in table
        and "97 %" in table
    )


def test_site_has_no_address_to_elsewhere_and_escapes_names(tmp_path):
    hostile = "<script>alert(1)</script>|"
    run = read(make_run(tmp_path / "run", {(hostile, hostile): [1, 0]}, suite=hostile, config=model(hostile)))
    paths = write_site(boards([run]), tmp_path / "site", {}, title=hostile)
    for path in paths:
        text = path.read_text()
        assert not re.search(r"https?://", text), path
        if path.suffix == ".html":
            assert "<script>alert" not in text and "default-src" in text
    assert "<script>" not in (tmp_path / "site/leaderboard.md").read_text()


def test_site_that_cannot_be_written(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--out"):
        write_site(boards(runs), tmp_path / "file" / "site", {})


def test_numbers_are_short():
    assert [short(n, " ") for n in (0, 999, 1234, 5_600_000, 7 * 10**9)] == ["0", "999", "1.23 k", "5.6 M", "7 G"]
    assert [dollars(c) for c in (None, 0.0, 0.001, 12.345, 1234.5)] == ["–", "$0.00", "< $0.01", "$12.35", "$1,234.50"]


def test_command(call):
    make_run(Path("a"), {("a", "x"): [1, 0]})
    make_run(Path("b"), {("a", "x"): [1, None]})
    code, out, _ = call("leaderboard", "a", "b", "--out", "site")
    assert code == 0 and "a: 2 entries, 1 unranked for missing episodes" in out and Path("site/index.html").is_file()
    assert sorted(p.name for p in Path("site/entries").iterdir()) == ["gpt-4o-naive-2.html", "gpt-4o-naive.html"]
    assert call("leaderboard", "a", "nowhere")[0] == 4
