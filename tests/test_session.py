"""The Python API: in a script, under a running event loop, and in a notebook's kernel."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

import embodied
from embodied import agents
from embodied.config import compose, recorded
from embodied.errors import EmbodiedError, EnvironmentFailure, StoreError, UsageError
from embodied.eval.results import Results
from embodied.request import Request
from embodied.session import prepare
from embodied.store import Run
from embodied.store.codec import encode
from embodied.types import Decision
from tests.rollout.playing import FAULTY

GOTO = "BabyAI-MixedTrainLocal-v0/goto"
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Turner:
    """An agent of one's own that turns around and asks nobody."""

    def __init__(self, kit: agents.Kit):
        self.kit = kit

    def begin(self, mission, rng) -> None:
        self.heard = []

    async def act(self, observation) -> Decision:
        return Decision(action="turn left")

    def recall(self, step) -> None:
        pass

    def hear(self, correction) -> None:
        self.heard.append(correction)

    def end(self, outcome) -> None:
        pass


class Hearing:
    """A listener that counts."""

    def __init__(self):
        self.said = []

    def started(self, spec) -> None:
        self.said.append("started")

    def stepped(self, spec, step) -> None:
        self.said.append("stepped")

    def ended(self, episode) -> None:
        self.said.append("ended")


def test_what_comes_back():
    hearing = Hearing()
    done = embodied.evaluate("babyai", "random", task="goto", episodes=3, steps=4, listeners=[hearing])
    assert isinstance(done, Results) and isinstance(done, embodied.Evaluation)
    assert done.coverage == 1 and done.missing == [] and done.stopped == ""
    assert done.progress == done.scores.total.progress and done.scores.environments[0].interval is not None
    assert [s.name for s in done.scores.tasks] == [f"babyai {GOTO}"]
    assert [e.spec.index for e in done.episodes] == [0, 1, 2]
    assert done.folder == Path(done.path) and done.run.record.config["env"]["task"] == GOTO
    assert [len(list(done.run.steps(e.spec.id))) for e in done.episodes] == [e.steps for e in done.episodes]
    assert (hearing.said.count("started"), hearing.said.count("ended")) == (3, 3)
    assert str(done).splitlines()[0].startswith("babyai  progress") and "3 of 3" in str(done)
    assert repr(done).startswith("<Evaluation babyai  progress ") and "3 of 3" in repr(done)
    hearing.said.clear()
    again = embodied.evaluate("babyai", "random", task=GOTO, episodes=3, steps=4, listeners=[hearing])
    assert again.folder == done.folder and hearing.said == [], "the same request by its full name goes on"


def test_the_environments_own_tables():
    done = embodied.evaluate("corner_case_drive", "rule_driver", episodes=2, image=False)
    assert done.tables and done.tables[0].rows


def test_a_frame():
    pandas = pytest.importorskip("pandas")
    done = embodied.evaluate("babyai", "random", task="goto", episodes=2, steps=3)
    frame = done.to_frame("pandas")
    assert isinstance(frame, pandas.DataFrame) and list(frame["steps"]) == [3, 3] and set(frame["env"]) == {"babyai"}
    with pytest.raises(UsageError, match="polars or pandas"):
        done.to_frame("excel")


def test_a_frame_where_no_package_has_them():
    blocked = "import sys; sys.modules['pandas'] = sys.modules['polars'] = None; import embodied.evaluation as e;"
    tried = subprocess.run([sys.executable, "-c", blocked + "e._package(None)"], capture_output=True, text=True)
    assert "polars or pandas, which is not installed. Install it with: pip install polars" in tried.stderr


def test_options_by_mapping_and_by_keyword():
    one = embodied.evaluate("babyai", "random", task="goto", episodes=1, steps=2, options={"env.rules": "balrog"})
    two = embodied.evaluate("babyai", "random", task="goto", episodes=1, steps=2, env__rules="balrog")
    assert one.folder == two.folder and one.record.planned[0].task.kwargs["rules"] == "balrog"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"env": "babyai"}, "agent"),
        ({"agent": "random"}, "--env"),
        ({"env": "babyai", "agent": "random", "episode": 3}, "'episodes'"),
        ({"env": "babyai", "agent": "random", "agent__history__texts": 3}, "agent.history.text"),
        ({"env": "babyai", "agent": "random", "options": {"agent.history.text": "many"}}, "agent.history.text"),
        ({"env": "babyai", "agent": "random", "env__ruls": "balrog"}, "rules"),
        ({"env": "babyai", "agent": "random", "task": "pick"}, "2 tasks of babyai"),
        ({"env": ["babyai", "crafter"], "agent": "random", "task": "goto,nowhere"}, "babyai, crafter named 'nowhere'"),
        ({"env": ["babyai", "crafter"], "agent": "random", "task": "goto"}, "no task of crafter"),
        ({"env": ["babyai", "nethak"], "agent": "random"}, "nethack"),
        ({"env": "babyai", "agent": lambda kit: None}, "def"),
        ({"env": "babyai", "agent": "random", "episodes": 0}, "run.episodes"),
        ({"env": "babyai", "agent": "random", "seed": -1}, "seed must be 0"),
    ],
)
def test_what_makes_no_sense(arguments, words):
    with pytest.raises(UsageError) as raised:
        embodied.evaluate(**arguments)
    assert words in str(raised.value)
    assert raised.value.__cause__ is None and raised.value.__suppress_context__
    assert not Path("runs").exists()


def test_a_constructor_that_crashes():
    with pytest.raises(EnvironmentFailure, match="SIGSEGV"):
        embodied.evaluate(FAULTY, "random", env__where="making", env__fault="segfault")


async def test_an_error_is_its_sentence_alone():
    """A constructor that crashes, a wrong key, an agent that is not there: no other error is printed."""
    for arguments in (
        {"env": FAULTY, "env__where": "making", "env__fault": "exit"},
        {"env": "babyai", "agent__history__texts": 3},
        {"env": "babyai", "agent": "randm"},
    ):
        for call in (embodied.evaluate, embodied.evaluate_async):
            with pytest.raises(EmbodiedError) as raised:
                done = call(**{"agent": "random", **arguments})
                await done  # of evaluate, nothing comes back
            printed = traceback.format_exception(raised.value)
            assert "During handling" not in "".join(printed) and "direct cause" not in "".join(printed)
            assert len("".join(printed).splitlines()) < 16, "".join(printed)


def test_several_environments_are_one_run():
    asked = {"env": ["babyai", "crafter", "gym:FrozenLake-v1"], "agent": "random", "episodes": 1, "steps": 3}
    done = embodied.evaluate(**asked, env__rules="balrog", env__is_slippery=False)
    assert [s.name for s in done.scores.environments] == ["babyai", "crafter", "gym:FrozenLake-v1"]
    kwargs = {spec.task.env: spec.task.kwargs for spec in done.record.planned}
    assert kwargs["babyai"]["rules"] == kwargs["crafter"]["rules"] == "balrog"
    assert "rules" not in kwargs["gym:FrozenLake-v1"] and kwargs["gym:FrozenLake-v1"]["is_slippery"] is False
    assert done.coverage == 1 and len(done.episodes) == 5 + 1 + 1
    assert len(str(done).splitlines()) == 5


def test_tasks_reach_the_environments_that_have_them(call):
    done = embodied.evaluate(["babyai", "crafter"], "random", task="goto,default", episodes=1, steps=2, out="one")
    assert [spec.task.task for spec in done.record.planned] == [GOTO, "default"]
    play = ("--task", "goto,default", "--agent", "random", "--episodes", 1, "--steps", 2, "--out", "one")
    code, out, err = call("eval", "--env", "babyai,crafter", *play)
    assert code == 0 and "already scored" in out, out + err


def test_the_same_several_on_the_command_line(call):
    play = ("--agent", "random", "--episodes", 1, "--steps", 2)
    code, out, err = call("eval", "--env", "babyai", "--env", "crafter", *play, "--out", "one")
    assert code == 0 and "all " in out, out + err
    code, out, err = call("eval", "--env", "babyai,crafter", *play, "--out", "one")
    assert code == 0 and "6 episodes were already scored" in out, out + err
    assert call("resume", "one")[0] == 0


def test_an_agent_of_ones_own():
    done = embodied.evaluate("babyai", Turner, task="goto", episodes=2, steps=3)
    assert done.record.config["agent"]["policy"] == "tests.test_session:Turner"
    assert {s.executed for s in done.run.steps(done.episodes[0].spec.id)} == {"turn left"}
    more = embodied.resume(done.folder, agent=Turner)
    assert more.coverage == 1


def test_resume_goes_on(monkeypatch):
    done = embodied.evaluate("babyai", "random", task="goto", episodes=2, steps=3, shard="1/2")
    assert done.coverage == 0.5 and [spec.index for spec in done.missing] == [1]
    assert embodied.resume(done.folder, run__workers=1).coverage == 1
    with pytest.raises(StoreError, match=r"agent\.history\.text"):
        embodied.resume(done.folder, options={"agent.history.text": 3})
    with pytest.raises(StoreError, match="not a run folder"):
        embodied.resume("nowhere")


async def test_under_a_running_loop():
    asked = {"task": "goto", "episodes": 1, "steps": 3}
    done = await embodied.evaluate_async("babyai", "random", **asked)
    assert embodied.evaluate("babyai", "random", **asked).folder == done.folder
    assert (await embodied.resume_async(done.folder)).coverage == 1


async def test_two_at_once():
    asked = {"task": "goto", "episodes": 2, "steps": 3}
    both = await asyncio.gather(*(embodied.evaluate_async("babyai", "random", seed=n, **asked) for n in (1, 2)))
    assert both[0].folder != both[1].folder and all(done.coverage == 1 for done in both)


async def test_cancelling_loses_nothing():
    task = asyncio.create_task(embodied.evaluate_async(FAULTY, "random", episodes=2, out="run", env__seconds=0.3))
    while not any(path.stat().st_size for path in Path().glob("run/episodes/*/steps.jsonl")):
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {e.outcome for e in Run("run").episodes()} == {"cancelled"}
    assert (await embodied.resume_async("run")).coverage == 1


INTERRUPTED = """
import asyncio, embodied
async def main():
    embodied.evaluate("gym:tests.rollout.faulty:Faulty-v0", "random", episodes=2, out="run", env__seconds=0.3)
{start}
"""


@pytest.mark.parametrize(
    "start", ["asyncio.run(main())", "main().send(None)"], ids=["under a running loop", "in a script"]
)
def test_an_interrupt_loses_nothing(start, tmp_path):
    code = INTERRUPTED.format(start=start)
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=here)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(path.stat().st_size for path in Path().glob("run/episodes/*/steps.jsonl")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode not in (0, None) and "KeyboardInterrupt" in err, err
    assert err.startswith("Interrupted.") and "embodied resume run`" in err and err.count("Traceback") <= 2, err
    assert {e.outcome for e in Run("run").episodes()} == {"cancelled"}


NOTEBOOK = [
    "import embodied\ndone = embodied.evaluate('babyai', 'random', task='goto', episodes=2, steps=3)\nprint(done)",
    "again = await embodied.evaluate_async('babyai', 'random', task='goto', episodes=3, steps=3)\nagain",
    "print(list(again.to_frame('pandas')['steps']))",
    "embodied.evaluate('babyai', 'random', task='gto')",
]


def test_cells_of_a_notebook(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("pandas")
    cells = [nbformat.v4.new_code_cell(source) for source in NOTEBOOK]
    cells[-1].metadata["tags"] = ["raises-exception"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed, shown, frame, failed = (cell.outputs[0] for cell in notebook.cells)
    assert "2 of 2 episodes scored" in printed.text
    assert "3 of 3 episodes scored" in shown.data["text/plain"]
    assert frame.text.strip() == "[3, 3, 3]"
    assert failed.ename == "UnknownName" and "goto" in failed.evalue


def test_the_package_stays_light():
    heavy = ("torch", "transformers", "openai", "nle", "hydra", "PIL", "pandas", "polars", "embodied.session", "typer")
    code = f"import sys, embodied; print([m for m in {heavy} if m in sys.modules]); embodied.evaluate; dir(embodied)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_typed_values_and_words_are_one_request(tmp_path, monkeypatch):
    """What a program says in values, and what a user typed before in quoted words, gives the same record."""
    conf = tmp_path / "conf" / "agent"
    conf.mkdir(parents=True)
    (conf / "mine.yaml").write_text("# @package _global_\nagent: {policy: cot}\nmodel: {provider: gguf, name: a}\n")
    monkeypatch.setenv("EMBODIED_CONF", str(tmp_path / "conf"))
    typed = {"agent": "mine", "env": ("babyai",), "model": "openai/it's ${x}, 1", "image": True, "steps": 5}
    job = prepare(Request(**typed, words=("agent.history.text=4",)))
    words = ["agent=mine", "env=babyai", "image=true", "model.provider=openai", "model.name='it\\'s \\${x}, 1'"]
    config = compose([*words, "run.seed=0", "run.steps=5", "agent.history.text=4"])
    config.agent.history.image = 1
    assert job.config == config
    assert prepare(Request(**typed, options={"agent.history.text": 4})).record.identity == job.record.identity
    said = json.dumps(job.record.config)
    assert prepare(Request(**typed, words=("agent.history.text=4", "run.workers=7"))).record.config == json.loads(said)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request("cot", ("nethack",), model="gguf//a b.gguf", seed=3), ["env=nethack", "agent=cot", "run.seed=3"]),
        (Request("random", ("gym:Taxi-v3",)), ["env=gym", "env.name='gym:Taxi-v3'", "agent=random"]),
        (Request("random", ("babyai",), task="goto"), ["env=babyai", f"env.task='{GOTO}'", "agent=random"]),
        (Request("gpt4o", suite="balrog", episodes=2, image=True), ["agent=gpt4o", "run.episodes=2", "image=true"]),
        (Request("gpt4o", ("babyai", "crafter"), options={"env.rules": "balrog"}), ["agent=gpt4o"]),
        (Request("random", ("minihack",), out="a, 'b' ${c}"), ["env=minihack", "run.out='a, \\'b\\' \\${c}'"]),
    ],
    ids=["model", "gym", "task", "suite", "several", "out"],
)
def test_a_request_is_what_its_words_are(request_, words):
    """Byte for byte, so that a run begun with one goes on with the other."""
    if request_.model:
        words = [*words, "model.provider=gguf", "model.name='/a b.gguf'"]
    if request_.image:
        words = [*words, "agent.history.image=1"]
    config = compose([*words, *(["agent=random"] if "agent" not in " ".join(words) else [])])
    job = prepare(request_)
    assert encode(recorded(job.config)) == encode(recorded(config))
    assert job.record.config["preset"] == request_.agent


HYDRA = """
import hydra
@hydra.main(version_base=None, config_path=None, config_name=None)
def main(config):
    from embodied.config import compose, recorded
    from hydra.core.hydra_config import HydraConfig
    print(compose(["agent.history.text=3"], env="babyai", agent="cot").agent.history.text, HydraConfig.get().job.name)
main()
"""


def test_a_program_may_use_hydra_itself(tmp_path):
    (tmp_path / "mine.py").write_text(HYDRA)
    ran = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "3 mine"


def test_presets_are_weaker_than_values_and_those_than_words(tmp_path, monkeypatch):
    folder = tmp_path / "conf" / "agent"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\nagent: {policy: cot}\nrun: {seed: 5, workers: 3}\n")
    monkeypatch.setenv("EMBODIED_CONF", str(tmp_path / "conf"))
    assert prepare(Request("mine", ("babyai",), model="gguf/x", seed=7)).config.run.seed == 7
    job = prepare(Request("mine", ("babyai",), model="gguf/x", seed=7, words=("run.seed=9",)))
    assert (job.config.run.seed, job.config.run.workers) == (9, 3)
