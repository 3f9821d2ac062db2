"""Runs recorded by the code of before: they go on, replay, and are read; what needs an older environment says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from embodied.console.viewer.library import Library
from embodied.store.run import Run

RECORDED = Path(__file__).parents[1] / "fixtures/runs"
"""`.cut` stand without results, as a killed process leaves them. None names a reader, a version of an environment, or a
checksum.
"""


@pytest.fixture(autouse=True)
def old(tmp_path, monkeypatch):
    """Copies a recorded run to where commands run, and gives its folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def copy(name: str, to: str = "") -> Path:
        return Path(shutil.copytree(RECORDED / name, tmp_path / (to or name)))

    return copy


def lines(folder: Path) -> dict[str, list[str]]:
    return {path.parent.name: path.read_text().splitlines() for path in folder.glob("episodes/*/steps.jsonl")}


def test_they_are_as_they_were():
    for path in RECORDED.rglob("*.json*"):
        if "before-moves" in path.parts:
            continue
        text = path.read_text()
        assert not any(
            f'"{key}"' in text for key in ("reader", "checksum", "embodied/MiniHack", "embodied/CornerCaseDrive")
        ), path
        assert not any(folder in text for folder in ("/home/", "/root/", "/tmp/")), (
            f"{path} names a folder of its machine"
        )


def test_one_cut_in_the_middle_goes_on(call, old):
    folder = old("babyai-random.cut")
    before = lines(folder)
    code, out, err = call("resume", folder, "run.workers=1")
    assert code == 0, err
    after = lines(folder)
    assert [len(after[name]) for name in sorted(after)] == [7, 12]
    assert all(after[name][:5] == before[name] for name in before), "no recorded step is played anew"
    whole = {
        name: [(s["executed"], s["next_hash"]) for s in map(json.loads, found)]
        for name, found in lines(RECORDED / "babyai-random").items()
    }
    assert whole == {
        name: [(s["executed"], s["next_hash"]) for s in map(json.loads, found)] for name, found in after.items()
    }
    code, out, _ = call("replay", folder, "--workers", "1")
    assert code == 0 and out.endswith("2 of 2 episodes agree.\n")
    assert Run(folder).record.config["agent"]["parse"] == {"policy": "lenient"}


def test_one_whole_scores_and_replays(call, old):
    folder = old("babyai-random")
    code, out, err = call("score", folder)
    assert code == 0 and "50.0 %" in out and "2/2" in out, err
    code, out, _ = call("replay", folder, "--workers", "1")
    assert code == 0 and "7 steps agree" in out and "12 steps agree" in out and out.endswith("2 of 2 episodes agree.\n")
    code, out, _ = call("resume", folder)
    assert code == 0 and "2 episodes were already scored" in out


def test_the_command_of_before_says_what_goes_on(call, old):
    folder = old("babyai-random.cut")
    asked = (
        "--env",
        "babyai",
        "--task",
        "BabyAI-MixedTrainLocal-v0/goto",
        "--agent",
        "random",
        "--steps",
        "12",
        "--episodes",
        "2",
    )
    code, _, err = call("eval", *asked, "env.distractors=0", "--out", folder)
    assert code == 4 and "agent.parse.reader" in err and f"`embodied resume {folder}`" in err


def test_six_games_of_before_the_modules_moved_go_on_and_replay(call, old):
    """Recorded at c7b087d by `embodied eval --suite demo --agent random --steps 8`: a record of readers v2."""
    folder = old("before-moves")
    whole = lines(folder)
    code, out, err = call("replay", folder, "--workers", "1")
    assert code == 0 and out.endswith("6 of 6 episodes agree.\n"), out + err
    for path in folder.glob("episodes/*/episode.json"):
        path.unlink()
        steps = path.parent / "steps.jsonl"
        steps.write_text("".join(f"{line}\n" for line in whole[path.parent.name][:4]))
    code, out, err = call("resume", folder, "--trust", "run.workers=1")
    assert code == 0 and "6/6" in out, err
    assert timeless(lines(folder)) == timeless(whole)


def timeless(steps: dict[str, list[str]]) -> dict[str, list[dict]]:
    """Steps without the seconds that they took."""
    return {
        name: [{k: v for k, v in json.loads(line).items() if not k.endswith("_seconds")} for line in found]
        for name, found in steps.items()
    }


def rewrite(folder: Path, change) -> None:
    path = folder / "run.json"
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))


GOTO = ("--env", "babyai", "--task", "BabyAI-MixedTrainLocal-v0/goto", "--agent", "random", "--steps", "12")
OLD = (*GOTO, "env.distractors=0", "agent.parse.reader=v1")


def test_another_version_of_this_package_goes_on(call, old):
    folder = old("babyai-random.cut")
    rewrite(folder, lambda body: body["versions"].update({"embodied-suite": "0.0.1"}))
    code, _, err = call("resume", folder, "run.workers=1")
    assert code == 0, err
    code, out, _ = call("replay", folder, "--workers", "1")
    assert code == 0 and out.endswith("2 of 2 episodes agree.\n")


def test_a_younger_key_at_its_default_goes_on(call, old):
    folder = old("babyai-random.cut")

    def forget(body):
        del body["config"]["agent"]["perception"], body["config"]["model"]["logprobs"], body["config"]["env"]["rules"]

    rewrite(folder, forget)
    code, _, err = call("resume", folder, "agent.perception=describe")
    assert code == 4 and "agent.perception is 'none' there and 'describe' here" in err
    assert call("resume", folder, "run.workers=1")[0] == 0


def test_the_same_command_plays_more_episodes_of_an_old_run(call, old):
    folder = old("babyai-random")
    before = lines(folder)
    code, out, err = call("eval", *OLD, "--episodes", "3", "--out", folder)
    assert code == 0 and "3/3" in out and "2 episodes were already scored" in out, err
    after = lines(folder)
    assert len(after) == 3 and all(after[name] == before[name] for name in before)


def test_the_same_command_finds_the_folder_of_an_earlier_version(call, old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old("babyai-random", "runs/babyai-random-5ac481d6")
    (tmp_path / "runs/babyai-random-broken").mkdir()
    (tmp_path / "runs/babyai-random-broken/run.json").write_text("{")
    code, out, err = call("eval", *OLD, "--episodes", "2")
    assert code == 0 and "2 episodes were already scored" in out, err
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "babyai-random-5ac481d6",
        "babyai-random-broken",
    ]


def test_a_later_format_is_refused_in_one_sentence(call, old):
    folder = old("babyai-random")
    rewrite(folder, lambda body: body.update(format=4, planned="in another place"))
    for command in ("resume", "score", "replay", "report", "view"):
        code, _, err = call(command, folder)
        assert code == 4 and err.count("\n") == 1 and "has format 4" in err and "upgrade it with" in err, command


@pytest.mark.slow
def test_one_of_a_model_goes_on(call, old):
    folder = old("baba-smollm2.cut")
    before = lines(folder)
    code, out, err = call("resume", folder, "--trust", "run.workers=1")
    assert code == 0, err
    (name,) = before
    assert lines(folder)[name][:5] == before[name] and len(lines(folder)[name]) == 6
    assert "1/1" in out
    code, out, _ = call("replay", folder, "--workers", "1")
    assert code == 0 and "6 steps agree" in out
    code, out, _ = call("score", folder)
    assert code == 0 and "1/1" in out


@pytest.mark.parametrize(
    "name, version", [("minihack.cut", "minihack v0 (here v1)"), ("ccd", "corner_case_drive v0 (here v1)")]
)
def test_one_of_an_older_environment_is_not_gone_on_with(call, old, name, version):
    before = lines(RECORDED / name)
    folder = old(name)
    code, out, err = call("resume", folder)
    assert (code, out) == (4, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and version in err and "--out ANOTHER" in err
    assert lines(folder) == before


def test_replay_says_which_version_is_needed(call, old):
    code, out, err = call("replay", old("ccd"), "--workers", "1")
    assert (code, err) == (6, "")
    assert (
        "Recorded with an older version of the environment: corner_case_drive v0 (here v1). Its episodes need that"
        " version to agree." in out
    )
    assert "corner_case_drive-hazards-000-ef9250f6  not compared: only corner_case_drive v0 can make it" in out
    assert "0 of 1 episodes agree. Not compared: 1." in out


@pytest.mark.parametrize("episode", ["corner_case_drive-hazards", "corner_case_drive-drive"])
def test_films_say_which_version_is_needed(call, old, episode):
    code, _, err = call("export", old("ccd"), episode, "--format", "gif")
    assert (
        code == 4
        and err.count("\n") == 1
        and "needs the older version of the environment, corner_case_drive v0 (here v1)" in err
    )


@pytest.mark.parametrize("name, ended", [("minihack.cut", 0), ("ccd", 2)])
def test_one_of_an_older_environment_is_read(call, old, tmp_path, name, ended):
    folder, twin = old(name), old(name, "twin")
    code, out, err = call("score", folder)
    assert code == 0 and ("2/2" if ended else "0/1") in out, err
    code, _, err = call("report", folder, "--out", tmp_path / "report.html")
    assert code == 0 and (tmp_path / "report.html").stat().st_size, err
    code, _, err = call("leaderboard", folder, "--out", tmp_path / "board")
    assert code == 0 and (tmp_path / "board/index.html").stat().st_size, err
    code, out, err = call("compare", folder, twin)
    assert (code, err) == (0, "") if ended else (code == 2 and "nothing can be compared" in err)
    for format_ in ("csv", "parquet", "html", "sft"):
        code, out, err = call("export", folder, "--format", format_, "--out", tmp_path / "exports")
        assert code == 0 if ended else (code == 4 and "has no ended episode yet" in err), err
    if ended:
        assert len((tmp_path / "exports/steps.csv").read_text().splitlines()) > 25


@pytest.mark.parametrize("name", ["minihack.cut", "babyai-random.cut", "baba-smollm2.cut", "babyai-random", "ccd"])
def test_the_viewer_reads_it(old, name):
    run = Run(old(name))
    library = Library([run])
    assert library.runs()
    keys = [spec.id for spec in run.record.planned]
    assert library.keys() == keys
    for key in keys:
        steps = sum(1 for _ in run.steps(key))
        assert library.episode(key)
        assert len(library.rows(key, 0, 100)) == steps > 0
        assert len(json.loads(library.steps(key, 0, 2))) == 2
