"""An agent as a folder: what is refused, what a run records of it, what continues a run and what the cache answers."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import embodied
from embodied.agents import folders
from embodied.agents.folders import is_ours, known
from embodied.agents.versions import AgentRecord, AgentVersion, Base, Lineage, difference, load, write
from embodied.errors import StoreError, UsageError
from embodied.models.config import ModelConfig
from embodied.models.layers.cache import Cache
from embodied.models.local.content import content, weights_hash
from embodied.models.scripted import Scripted
from embodied.request import Request
from embodied.rollout.playing import Job
from embodied.session import prepare
from embodied.store.blobs import FileBlobs
from embodied.store.run import Run
from embodied.types import Message, Settings, Text
from embodied.versions import find, settings

BABYAI = ("--env", "babyai", "--task", "goto", "--episodes", "1", "--steps", "2", "run.workers=1")
SEEING = {
    "image": True,
    "agent.history.text": 0,
    "agent.history.image": 1,
    "model.provider": "transformers",
    "model.max_tokens": 2,
    "model.temperature": 0.0,
}
PLAYS = {"agent.policy": "constant", "agent.script": ["go forward"]}


@pytest.fixture(autouse=True)
def user(monkeypatch, tmp_path) -> Path:
    """The user's state and cache folders."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EMBODIED_CONF", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A model folder of a tiny LLaVA."""
    pytest.importorskip("torch")
    from tests.models.tiny import llava

    return llava(tmp_path_factory.mktemp("model"))


def notes(folder: Path, text: str = "one") -> Path:
    """A part of two files."""
    (folder / "deep").mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps(text))
    (folder / "deep/b.safetensors").write_bytes(b"12345678")
    return folder


def made(folder: Path, said: dict | None = None, parts: dict[str, Path] | None = None, **fields) -> AgentVersion:
    return write(folder, AgentRecord("mine", PLAYS if said is None else said, **fields), parts or {})


def rewritten(folder: Path, change: dict) -> Path:
    """The folder, with other words in its `agent.json`."""
    path = folder / "agent.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return folder


def planned(version: AgentVersion, *words: str, **fields) -> Job:
    return prepare(Request(str(version.folder), ("babyai",), words=words, version=version, **fields))


def flipped(path: Path) -> None:
    """The file with another last byte, and the size and time that it had."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# --------------------------------------------------------------------------- the folder


def test_a_changed_byte_is_refused(tmp_path):
    version = made(tmp_path / "agent", parts={"notes": notes(tmp_path / "notes")})
    assert load(version.folder).hash == version.hash
    flipped(version.part("notes") / "deep/b.safetensors")
    with pytest.raises(StoreError, match=r"parts/notes-\w{12} was changed since .*agent.json was written"):
        load(version.folder)


def test_a_missing_part_is_refused(tmp_path):
    version = made(tmp_path / "agent", parts={"notes": notes(tmp_path / "notes")})
    shutil.rmtree(version.part("notes"))
    with pytest.raises(StoreError, match="is missing or is a link"):
        load(version.folder)


def test_a_link_is_refused(tmp_path):
    version = made(tmp_path / "agent", parts={"notes": notes(tmp_path / "notes")})
    (version.part("notes") / "a.json").unlink()
    (version.part("notes") / "a.json").symlink_to(tmp_path / "notes/a.json")
    with pytest.raises(StoreError, match=r"a\.json is a link"):
        load(version.folder)
    shutil.rmtree(version.part("notes"))
    version.part("notes").symlink_to(tmp_path / "notes")
    with pytest.raises(StoreError, match="is missing or is a link"):
        load(version.folder)


@pytest.mark.parametrize("name", ["weights.pkl", "pytorch_model.bin", "model.pt", "code.py", "plain"])
def test_a_pickle_or_code_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match="not a kind of file that an agent holds"):
        made(tmp_path / "file", parts={"model": tmp_path / name})
    (notes(tmp_path / "notes") / name).write_bytes(b"x")
    with pytest.raises(StoreError, match="not a kind of file that an agent holds"):
        made(tmp_path / "folder", parts={"model": tmp_path / "notes"})
    version = made(tmp_path / "agent", parts={"notes": notes(tmp_path / "good")})
    (version.part("notes") / name).write_bytes(b"x")
    with pytest.raises(StoreError, match="not a kind of file that an agent holds"):
        load(version.folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "has format 2, and this version of embodied reads formats up to 1: upgrade it"),
        ({"name": "../../etc"}, "a name is letters, digits"),
        ({"name": "a\x1b[31m"}, "a name is letters, digits"),
        ({"name": ""}, "a name is letters, digits"),
        ({"parts": {"../../x": "0" * 64}}, "not a plain name with a SHA-256"),
        ({"parts": {"x": "../../etc/passwd"}}, "not a plain name with a SHA-256"),
        ({"parts": {"x": "0" * 64}}, "is missing"),
        ({"settings": [1]}, "is damaged"),
    ],
)
def test_hostile_words_are_refused(tmp_path, change, says):
    folder = rewritten(made(tmp_path / "agent").folder, change)
    with pytest.raises(StoreError, match=says):
        load(folder)


def test_hostile_files_are_refused(tmp_path):
    folder = made(tmp_path / "agent", parts={"notes": notes(tmp_path / "notes")}).folder
    (folder / "agent.json").write_bytes(b"[" * 100_000)
    with pytest.raises(StoreError, match="damaged"):
        load(folder)
    (folder / "agent.json").write_bytes(b" " * (1 << 21))
    with pytest.raises(StoreError, match="bytes"):
        load(folder)
    (folder / "agent.json").unlink()
    os.mkfifo(folder / "agent.json")
    with pytest.raises(StoreError, match="not a plain file"):
        load(folder)
    (notes(tmp_path / "other") / "a\nb.json").write_bytes(b"x")
    with pytest.raises(StoreError, match="control characters"):
        made(tmp_path / "second", parts={"notes": tmp_path / "other"})


def test_the_hash_is_of_the_content_and_not_of_the_place(tmp_path):
    first = made(tmp_path / "a", parts={"notes": notes(tmp_path / "notes")})
    second = made(tmp_path / "b/c", parts={"notes": tmp_path / "notes"})
    other = made(tmp_path / "d", parts={"notes": notes(tmp_path / "others", "two")}, lineage=Lineage(first.hash))
    assert first.hash == second.hash != other.hash
    assert [key for key, *_ in difference(first, other)] == ["lineage.parent", "parts.notes"]
    assert difference(first, second) == []


# --------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.base_url", "http://evil.example"),
        ("model.api_key_env", "AWS_SECRET_ACCESS_KEY"),
        ("model.path", "/etc"),
        ("model.mmproj", "/etc/x"),
        ("model.script", "os:system"),
        ("model.sha256", "0" * 64),
        ("agent.version", "0" * 64),
        ("agent.demonstrations.runs", ["/home"]),
        ("run.worker_variables", ["AWS_SECRET_ACCESS_KEY"]),
        ("run.ray", "evil.example:1"),
        ("env.data", "/home"),
        ("env.name", "gym:evil:Evil-v0"),
        ("model", {"base_url": "http://evil.example"}),
        ("model.trust_remote_code", True),
    ],
)
def test_what_a_folder_may_not_set(tmp_path, key, value):
    version = made(tmp_path / "agent", {**PLAYS, key: value})
    with pytest.raises(StoreError, match=r"agent\.json"):
        settings(version)
    with pytest.raises(StoreError, match=r"agent\.json"):
        planned(version)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"agent.script": ["${oc.env:HOME}"]}, "a URL or a reference to a variable"),
        ({"model.provider": "openai", "model.name": "http://x"}, "a URL or a reference to a variable"),
        ({"model.provider": "transformers", "model.name": "/home/me/model"}, "not among its parts"),
        ({"model.provider": "gguf", "model.name": "../x.gguf"}, "not among its parts"),
        ({"agent.history.text": "many"}, "agent.history.text"),
        ({"agent.histroy.text": 1}, "agent.histroy"),
    ],
)
def test_values_that_a_folder_may_not_have(tmp_path, said, says):
    with pytest.raises(StoreError, match=says):
        settings(made(tmp_path / "agent", said))


def test_a_part_model_needs_a_provider_that_loads_it(tmp_path):
    version = made(tmp_path / "agent", {"model.provider": "openai"}, {"model": notes(tmp_path / "notes")})
    with pytest.raises(StoreError, match=r"model\.provider must be one of gguf, transformers, not 'openai'"):
        settings(version)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling.Evil"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil/repo--tokenizer.Evil", None]}}),
        ("config.json", {"text_config": {"attn_implementation": "evil/kernel"}}),
        ("config.json", {"attn_implementation": {"": "sdpa", "vision_config": "evil/kernel@main:x"}}),
        ("adapter_config.json", {"base_model_name_or_path": "/home/me/secret"}),
    ],
)
def test_a_model_folder_brings_no_code(tmp_path, name, said):
    (notes(tmp_path / "notes") / name).write_text(json.dumps(said))
    version = made(tmp_path / "agent", {"model.provider": "transformers"}, {"model": tmp_path / "notes"})
    with pytest.raises(StoreError, match="loads code or weights from outside the folder"):
        planned(version)


def test_settings_are_weaker_than_what_is_typed(tmp_path):
    said = {"agent.policy": "cot", "model.provider": "openai", "model.name": "gpt-4o", "agent.history.text": 3}
    version = made(tmp_path / "agent", said, base=Base("openai", "gpt-4o"))
    config = planned(version).config
    assert (config.agent.policy, config.model.name, config.agent.history.text) == ("cot", "gpt-4o", 3)
    job = planned(version, "agent.history.text=5", model="anthropic/claude-x")
    assert (job.config.model.provider, job.config.agent.history.text) == ("anthropic", 5)
    assert job.record.config["preset"] == version.label
    with pytest.raises(UsageError, match="does not go with --agent"):
        planned(version, "agent=cot")


def test_a_typed_model_takes_the_place_of_the_weights(tmp_path):
    said = {"model.provider": "transformers"}
    version = made(tmp_path / "agent", said, {"model": notes(tmp_path / "notes")})
    own = planned(version)
    assert own.config.model.path == str(version.part("model").resolve())
    other = planned(version, model="openai/gpt-4o")
    assert (other.config.model.name, other.config.model.path, other.config.model.sha256) == ("gpt-4o", None, "")
    with pytest.raises(UsageError, match=r"leave out model\.path"):
        planned(version, "model.path=/somewhere")


def test_a_world_that_it_does_not_know(call, tmp_path):
    made(tmp_path / "agent", worlds=("babyai", "minihack"))
    for asked in (("--env", "crafter"), ("--env", "babyai,crafter"), ("--suite", "balrog"), ("--env", "gym:Taxi-v3")):
        code, out, err = call("eval", *asked, "--agent", "./agent")
        assert code == 2 and "mine was made for babyai, minihack and does not know" in err and not out


# --------------------------------------------------------------------------- runs


def test_a_run_records_the_hash_and_no_path(weights, tmp_path, call):
    version = write(tmp_path / "agent", AgentRecord("tiny", SEEING), {"model": weights})
    code, out, err = call("eval", *BABYAI, "--agent", "./agent", "--out", "run")
    assert code == 0, out + err
    text = Path("run/run.json").read_text()
    config = json.loads(text)["config"]
    assert str(tmp_path) not in text and config["model"]["path"] is None
    assert config["preset"] == config["model"]["name"] == version.label == f"tiny@{version.hash[:12]}"
    assert config["agent"]["version"] == version.hash
    assert config["model"]["sha256"] == version.record.parts["model"]
    recorded = [path.read_bytes() for path in Path("run").rglob("*") if path.is_file()]
    assert not any(str(tmp_path).encode() in data for data in recorded)
    code, out, _ = call("list", "runs", ".")
    assert code == 0 and version.label in out
    assert call("compare", "run", "run")[0] == 0

    # resumed where it lies, and after it was moved
    shutil.rmtree(next(Path("run/episodes").iterdir()))
    assert call("resume", "run")[0] == 0
    shutil.move("agent", "elsewhere")
    shutil.rmtree(next(Path("run/episodes").iterdir()))
    code, _, err = call("resume", "run")
    assert code == 4 and "embodied resume run --agent FOLDER" in err
    assert call("resume", "run", "--agent", "elsewhere")[0] == 0
    assert call("resume", "run")[0] == 0  # its new place is known now

    # new weights in the old folder
    made(tmp_path / "agent")
    code, _, err = call("resume", "run", "--agent", "./agent")
    assert code == 4 and "Another agent is another run" in err
    code, _, err = call("eval", *BABYAI, "--agent", "./agent", "--out", "run")
    assert code == 4 and "there and" in err


def test_from_python(tmp_path):
    version = made(tmp_path / "agent")
    asked = {"task": "goto", "episodes": 1, "steps": 2, "run__workers": 1}
    done = embodied.evaluate("babyai", str(version.folder), **asked)
    assert done.record.config["agent"]["version"] == version.hash and done.folder.name.startswith("babyai-mine-")
    shutil.move(version.folder, tmp_path / "moved")
    with pytest.raises(StoreError, match="--agent FOLDER"):
        embodied.resume(done.folder)
    assert embodied.resume(done.folder, agent=tmp_path / "moved").coverage == 1
    assert embodied.evaluate("babyai", "./moved", **asked).folder == done.folder
    assert embodied.evaluate("babyai", Path("moved"), **asked).folder == done.folder


def test_equal_versions_from_two_places_are_one_run(tmp_path):
    said = {"model.provider": "transformers"}
    first = made(tmp_path / "a", said, {"model": notes(tmp_path / "notes")})
    second = made(tmp_path / "b", said, {"model": tmp_path / "notes"})
    third = made(tmp_path / "c", said, {"model": notes(tmp_path / "others", "two")})
    one, same, other = (planned(version).record for version in (first, second, third))
    assert one.identity == same.identity != other.identity and one.config == same.config
    assert one.planned == same.planned


def test_a_run_without_a_version_takes_no_folder(tmp_path, call):
    made(tmp_path / "agent")
    assert call("eval", *BABYAI, "--agent", "random", "--out", "run")[0] == 0
    code, _, err = call("resume", "run", "--agent", "./agent")
    assert code == 2 and "was not played with an agent's folder" in err


# --------------------------------------------------------------------------- weights given by their place


async def test_new_weights_are_another_run_and_miss_the_cache(tmp_path, user):
    notes(tmp_path / "model")
    asked = Request("naive", ("babyai",), model=f"transformers/{tmp_path / 'model'}")
    before = prepare(asked)
    scripted = Scripted(ModelConfig("scripted", "cycle", script=["a", "b", "c"]), FileBlobs(tmp_path / "blobs"))
    hello, cold = [Message("user", (Text("hello"),))], Settings(temperature=0)

    async def said(job: Job) -> str:
        return (await Cache(scripted, job.config.model, folder=tmp_path / "replies").generate(hello, cold)).text

    assert [await said(before), await said(prepare(asked))] == ["a", "a"]
    flipped(tmp_path / "model/deep/b.safetensors")
    after = prepare(asked)
    assert after.record.identity != before.record.identity
    assert after.config.model.sha256 == weights_hash(after.config.model) != before.config.model.sha256
    assert await said(after) == "b"

    # a version brings its place with it: the same weights elsewhere hit
    parts = {"model": tmp_path / "model"}
    versions = [made(tmp_path / name, {"model.provider": "transformers"}, parts) for name in ("x", "y")]
    assert [await said(planned(version)) for version in versions] == ["c", "c"]


def test_a_run_begun_before_weights_were_hashed_goes_on(tmp_path):
    notes(tmp_path / "model")
    asked = Request("naive", ("babyai",), model=f"transformers/{tmp_path / 'model'}", out="run")
    record = prepare(asked).record
    model = {key: value for key, value in record.config["model"].items() if key != "sha256"}
    agent = {key: value for key, value in record.config["agent"].items() if key != "version"}
    Run.create(Path("run"), replace(record, identity="old", config={**record.config, "model": model, "agent": agent}))
    assert prepare(asked).record.identity == "old"


@pytest.mark.parametrize("model", ["openai/gpt-4o", "gguf/smollm2", "transformers/smollm2", "transformers/org/name"])
def test_other_models_have_no_hash(model):
    job = prepare(Request("naive", ("babyai",), model=model))
    assert job.config.model.sha256 == ""


def test_a_pinned_hash_must_be_the_one_found(tmp_path):
    notes(tmp_path / "model")
    asked = Request("naive", ("babyai",), model=f"transformers/{tmp_path / 'model'}")
    found = prepare(asked).config.model.sha256
    prepare(replace(asked, words=(f"model.sha256={found}",)))
    with pytest.raises(UsageError, match=r"model\.sha256"):
        prepare(replace(asked, words=(f"model.sha256={'0' * 64}",)))


def test_large_weights_are_read_once(tmp_path, user, monkeypatch):
    path, kept = tmp_path / "large.safetensors", user / "cache/embodied/hashes"
    path.write_bytes(b"0" * (3 << 20))
    first = content(path)
    assert not kept.exists()  # it was written just now: its times may not tell one content from the next
    monkeypatch.setattr("embodied.models.local.content._SETTLED", -1)
    assert content(path) == first
    (note,) = kept.iterdir()
    note.write_text("f" * 64)
    assert content(path) == "f" * 64  # it was not read
    flipped(path)
    assert content(path) not in ("f" * 64, first)


# --------------------------------------------------------------------------- strangers, and the package's own


def test_a_stranger_is_not_played_until_somebody_answers(tmp_path, call, monkeypatch):
    version = made(tmp_path / "agent")
    assert is_ours(version)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another-user"))
    assert not is_ours(version)
    code, _, err = call("eval", *BABYAI, "--agent", "./agent", "--out", "run")
    assert code == 4 and "was not made by you on this machine" in err and "--trust" in err and not Path("run").exists()
    with pytest.raises(StoreError, match="add --trust"):
        embodied.evaluate("babyai", "./agent", task="goto", episodes=1)
    assert call("eval", *BABYAI, "--agent", "./agent", "--out", "run", "--trust")[0] == 0
    assert call("eval", *BABYAI, "--agent", "./agent", "--out", "run")[0] == 0
    assert known(version.hash) is not None and known("../" * 3) is None


def test_shipped_versions_are_found_by_name(tmp_path, call, monkeypatch):
    root = tmp_path / "shipped"
    version = made(root / "mine", worlds=("babyai",))
    monkeypatch.setattr(folders, "SHIPPED", root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another-user"))
    assert find("mine") == version and find("random") is None and find("./shipped/mine").hash == version.hash
    code, out, _ = call("list", "agents")
    assert code == 0 and any(line.startswith("mine ") and "made for babyai" in line for line in out.splitlines())
    assert call("eval", *BABYAI, "--agent", "mine", "--out", "run")[0] == 0
    assert json.loads(Path("run/run.json").read_text())["config"]["preset"] == version.label
    assert call("resume", "run")[0] == 0
    conf = tmp_path / "conf/agent"
    conf.mkdir(parents=True)
    (conf / "mine.yaml").write_text("# @package _global_\nagent: {policy: random}\n")
    monkeypatch.setenv("EMBODIED_CONF", str(tmp_path / "conf"))
    assert find("mine") is None  # a preset of the user's own goes first


def test_names_and_places(tmp_path, monkeypatch):
    version = made(tmp_path / "random")
    assert find("random") is None and find("") is None and find("a\0b") is None
    assert find("./random").hash == find(str(version.folder)).hash == version.hash
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find("~/random") is not None
    made(tmp_path / "nobody-else")
    assert find("nobody-else") is not None and find("no-such-agent") is None
    for wrong in ("./missing", "/", "~nobody-of-that-name/x"):
        with pytest.raises(UsageError, match="agent"):
            find(wrong)


# --------------------------------------------------------------------------- commands


def test_show_and_diff(tmp_path, call):
    version = made(tmp_path / "a", parts={"notes": notes(tmp_path / "notes")})
    made(tmp_path / "b", {**PLAYS, "agent.feedback": False}, {"notes": tmp_path / "notes"})
    code, out, _ = call("agents", "show", "./a")
    assert code == 0 and version.label in out and version.hash in out and "settings.agent.policy" in out
    code, out, _ = call("agents", "show", "a", "--json")
    assert code == 0 and json.loads(out)["hash"] == version.hash
    code, out, _ = call("agents", "diff", "./a", "./b")
    assert code == 0 and "settings.agent.feedback" in out and "parts.notes" not in out
    code, out, _ = call("agents", "diff", "./a", "a")
    assert code == 0 and "do not differ" in out
    assert call("agents", "show", "./missing")[0] == 2
    flipped(version.part("notes") / "a.json")
    assert call("agents", "show", "./a")[0] == 4


def test_a_terminal_is_not_told_what_to_do(tmp_path, call):
    made(tmp_path / "a", {**PLAYS, "agent.expert": "\x1b]0;owned\x07"}, worlds=("\x1b[31mred",))
    code, out, _ = call("agents", "show", "./a")
    assert code == 0 and "\x1b" not in out and "\x07" not in out
    code, _, err = call("eval", "--env", "babyai", "--agent", "./a")
    assert code == 2 and "\x1b" not in err
