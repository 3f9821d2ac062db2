"""tinyvlm: what it is trained on is what it reads when it plays; trainings repeat, and survive a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jinja2 import TemplateError

from embodied import envs
from embodied.agents.config import HistoryConfig
from embodied.agents.history import Window
from embodied.agents.prompt import instruction, message
from embodied.agents.versions import write
from embodied.blobs import MemoryBlobs, put_frame
from embodied.errors import PromptRefused, TrainingFailed, UnknownName, UsageError
from embodied.models.config import ModelConfig
from embodied.models.local.transformers import Transformers
from embodied.splits import first_seed
from embodied.train.tinyvlm import architecture
from embodied.train.tinyvlm import making as making_module
from embodied.train.tinyvlm.learning import Course, Student, Training
from embodied.train.tinyvlm.lessons import Arrays, Notebook
from embodied.train.tinyvlm.making import Making, Plan
from embodied.train.tinyvlm.playing import World, lessons_of_expert
from embodied.train.tinyvlm.words import IMAGE
from embodied.train.tinyvlm.worlds import plan
from embodied.types import Image, Observation, Part, Settings

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(**more) -> Plan:
    """A course of seconds."""
    whole = plan("babyai")
    (all_of_it,) = whole.worlds
    world = World("babyai", all_of_it.tasks[:2], all_of_it.variants[:1])
    course = Course(updates=8, batch=8, warmup=2)
    return replace(whole, worlds=(world,), course=course, episodes=6, own=1, teach=4, dev=1, **more)


def built(chosen: Plan) -> architecture.Built:
    return architecture.build(chosen.actions, chosen.sentences, chosen.shape, 0)


def played(count: int = 12):
    """(mission, actions so far, picture) along an episode of BabyAI that its expert plays."""
    env = envs.make("babyai", expert=True, image=True, distractors=3)
    observation, _ = env.reset(seed=7)
    actions: list[str] = []
    for _ in range(count):
        yield env.mission, list(actions), observation["image"]
        actions.append(observation["expert"])
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        if terminated or truncated:
            return


def messages(mission, actions: list[str], picture: Image):
    """What the agent of the preset sends."""
    history = Window(HistoryConfig(text=0, image=1, actions=20))
    for action in actions:
        history.see(Observation("a wall 2 steps forward", image=picture))
        history.did(action)
    history.see(Observation("a red ball 1 step left", image=picture))
    return [message("user", instruction(mission)), *history.messages("Answer with one of the actions.")]


def _part(part: Part) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, Image) else {"type": "text", "text": part.text}


def test_a_prompt_is_read_as_in_training():
    chosen = small()
    model = built(chosen)
    notebook, reader = Notebook.of(model), architecture.processor(model)
    for mission, actions, _ in played():
        chat = [
            {"role": m.role, "content": [_part(p) for p in m.parts]}
            for m in messages(mission, actions, Image("0" * 64, 112, 112))
        ]
        text = reader.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        tokens = model.tokenizer(text, add_special_tokens=False)["input_ids"]
        expected = notebook.prefix(mission.goal, actions)
        assert tokens == [*expected, model.number(IMAGE), model.number("<answer>")]
        said = {"role": "user", "content": [{"type": "text", "text": "\nA person who watches you says: turn left"}]}
        assert reader.apply_chat_template([*chat, said], add_generation_prompt=True, tokenize=False) == text
        assert model.number("<unknown>") not in tokens


def test_a_word_it_does_not_know_is_named():
    model = built(small())
    reader = architecture.processor(model)
    for goal, word in (("Go to the red teapot.", "teapot"), ("Go to the ball, then öffne the door.", "öffne")):
        parts = [{"type": "text", "text": f"Your goal: {goal}\nActions:"}, {"type": "image"}]
        with pytest.raises(TemplateError, match=f"tinyvlm does not know the word {word}"):
            reader.apply_chat_template([{"role": "user", "content": parts}], tokenize=False)


@pytest.mark.parametrize("env", ["babaisai", "minihack", "crafter"])
def test_every_word_of_a_world_is_known(env: str):
    chosen = plan(env)
    notebook = Notebook.of(built(chosen), chosen.worlds[0].tiles)
    world = replace(chosen.worlds[0], tasks=chosen.worlds[0].tasks[-1:], limits={"max_steps": 30})
    lessons = lessons_of_expert(world, notebook, 2, 0, (0.5,))
    assert len(lessons) > 5 and any(map(any, lessons.names))
    assert len(notebook.goal("anything at all")) == 0


async def test_the_provider_plays_what_the_student_would(tmp_path: Path):
    chosen = small()
    model = built(chosen)
    notebook, student = Notebook.of(model), Student(model, CPU)
    lessons = Arrays.of(lessons_of_expert(chosen.worlds[0], notebook, 20, 0, (0.2,)))
    Training(student, replace(chosen.course, updates=60)).run(notebook, lessons, 60, 0)
    architecture.save(model, tmp_path / "model")
    student = Student(architecture.load(tmp_path / "model"), CPU)  # as saved: float16 and back
    blobs = MemoryBlobs()
    engine = Transformers(ModelConfig("transformers", str(tmp_path / "model"), max_tokens=2, temperature=0.0), blobs)
    seen = set()
    try:
        for mission, actions, picture in played():
            prefix = notebook.prefix(mission.goal, actions)
            (wanted,) = student.choose([picture], [prefix])
            prompt = messages(mission, actions, put_frame(blobs, picture))
            reply = await engine.generate(prompt, Settings(temperature=0.0, max_tokens=2))
            assert reply.text == wanted and reply.stop == "stop"
            seen.add(wanted)
    finally:
        await engine.aclose()
    assert seen <= set(chosen.actions)


async def test_the_provider_refuses_a_word_it_does_not_know(tmp_path: Path):
    architecture.save(built(small()), tmp_path / "model")
    blobs = MemoryBlobs()
    engine = Transformers(ModelConfig("transformers", str(tmp_path / "model"), max_tokens=2, temperature=0.0), blobs)
    mission, actions, picture = next(iter(played(1)))
    prompt = messages(replace(mission, goal="Go to the teapot."), actions, put_frame(blobs, picture))
    try:
        with pytest.raises(PromptRefused, match="tinyvlm does not know the word teapot"):
            await engine.generate(prompt, Settings(temperature=0.0, max_tokens=2))
    finally:
        await engine.aclose()


def test_the_same_plan_gives_the_same_bytes_whether_or_not_it_was_killed(tmp_path: Path):
    whole = Making(small(), tmp_path / "whole", CPU, lambda text: None).make()

    class Killed(Exception):
        pass

    def stop_at(update: str):
        def tell(text: str) -> None:
            if text.startswith(f"update {update}/"):
                raise Killed

        return tell

    for update in ("2", "6"):
        with pytest.raises(Killed):
            Making(small(), tmp_path / "cut", CPU, stop_at(update)).make()
    said: list[str] = []
    cut = Making(small(), tmp_path / "cut", CPU, said.append).make()
    assert any(text.startswith("Goes on after update") for text in said)
    assert cut.hash == whole.hash and not (tmp_path / "cut/work").exists()
    with pytest.raises(UsageError, match="holds a finished agent"):
        Making(small(), tmp_path / "cut", CPU, lambda text: None).make()


def test_another_plan_does_not_continue_a_training(tmp_path: Path):
    making = Making(small(), tmp_path / "a", CPU, lambda text: None)
    making._open()
    with pytest.raises(UsageError, match="training of another plan"):
        Making(small(seed=1), tmp_path / "a", CPU, lambda text: None).make()


def test_a_loss_that_is_not_a_number_ends_it():
    chosen = small()
    model = built(chosen)
    notebook, student = Notebook.of(model), Student(model, CPU)
    lessons = Arrays.of(lessons_of_expert(chosen.worlds[0], notebook, 2, 0, (0.0,)))
    with torch.no_grad():
        student.named.weight.fill_(float("nan"))
    with pytest.raises(TrainingFailed, match="loss of update 0 is nan"):
        Training(student, chosen.course).run(notebook, lessons, 2, 0)


def test_lessons_are_of_the_train_split(monkeypatch):
    seeds = []
    chosen = small()

    original = envs.make

    def making(*args, **kwargs):
        env = original(*args, **kwargs)
        reset = env.reset
        env.reset = lambda seed=None, **more: (seeds.append(seed), reset(seed=seed, **more))[1]
        return env

    monkeypatch.setattr(envs, "make", making)
    lessons_of_expert(chosen.worlds[0], Notebook.of(built(chosen)), 6, 0, (0.0,))
    assert len(seeds) == 6 and all(1 << 30 <= seed < 2 << 30 for seed in seeds)
    assert first_seed("test", 0, "babyai", chosen.worlds[0].tasks[0]) < 1 << 30


def test_objects_are_where_the_picture_shows_them():
    env = envs.make("babyai", image=True, distractors=4)
    env.reset(seed=3)
    notebook = Notebook.of(built(small()))
    names, named = notebook.objects(env.truth(), (112, 112))
    assert sum(n > 0 for n in names) == len(env.truth()) > 0 and any(named)
    picture = env.render() if env.render_mode else env._image()
    for sight in env.truth():
        left, top, right, bottom = sight.box
        assert len(np.unique(picture[top:bottom, left:right].reshape(-1, 3), axis=0)) > 1, sight


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ("nethack", "cannot learn nethack: it has no expert to learn from. It can learn babyai, "),
        ("textworld", "cannot learn textworld: it has no pictures"),
        ("highway", "cannot learn highway: it has no plan yet"),
    ],
)
def test_a_world_it_cannot_learn_is_told_why(env: str, sentence: str):
    with pytest.raises(UsageError, match=sentence):
        plan(env)


def test_a_world_that_does_not_exist_is_named():
    with pytest.raises(UnknownName, match="no environment named 'babyay'"):
        plan("babyay")


def test_a_kill_while_the_folder_is_written_loses_nothing(tmp_path: Path, monkeypatch):
    whole = Making(small(), tmp_path / "whole", CPU, lambda text: None).make()
    with monkeypatch.context() as patch:
        patch.setattr(making_module, "write", lambda *args: (write(*args), 1 / 0))
        with pytest.raises(ZeroDivisionError):
            Making(small(), tmp_path / "cut", CPU, lambda text: None).make()
    assert Making(small(), tmp_path / "cut", CPU, lambda text: None).make().hash == whole.hash


def test_one_model_can_learn_several_worlds(tmp_path: Path):
    chosen = plan("several")
    worlds = tuple(replace(w, tasks=w.tasks[:1], limits={"max_steps": 8}) for w in chosen.worlds)
    course = Course(updates=2, batch=4, warmup=1)
    chosen = replace(chosen, worlds=worlds, course=course, episodes=3, own=1, teach=2, dev=1)
    version = Making(chosen, tmp_path / "out", CPU, lambda text: None).make()
    assert version.record.worlds == ("babyai", "babaisai", "minihack")
    assert version.record.view == {"minihack": {"crop": 9}}
