"""The only answers that a call allows, weighed by transformers' models: against the plain way to compute them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import ModelRefused, PromptRefused, PromptTooLong
from embodied.models import ModelConfig
from embodied.types import Image, Message, Part, Reply, Settings, Text

pytest.importorskip("torch")
import torch
import transformers

from embodied.models.local import packed
from embodied.models.local.likelihood import NOTED, Answers, spell
from embodied.models.local.transformers import Transformers
from tests.models import tiny

CHOICES = ("go", "go north", "turn left", "größe 日本", "", " ", "g")
COLD = Settings(temperature=0, choices=CHOICES)
HUNDRED = tuple(f"thing {i}" for i in range(100))


def ask(*parts: Part | str) -> list[Message]:
    return [Message("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))]


def sliding(folder: Path) -> Path:
    """A tiny Mistral whose attention reaches 8 tokens back."""
    words = tiny.tokenizer()
    torch.manual_seed(0)
    config = transformers.MistralConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=8,
        max_position_embeddings=2048,
    )
    transformers.MistralForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def made(folder: Path, make: Callable[[Path], Path], **options: object) -> Transformers:
    path = make(folder / "tiny")
    config = ModelConfig("transformers", "tiny", path=str(path), threads=1, logprobs=True)
    return Transformers(replace(config, **options), MemoryBlobs())


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Transformers:
    return made(tmp_path_factory.mktemp("text"), tiny.text_model)


def plainly(model: Transformers, messages: Sequence[Message], choices: Sequence[str]) -> dict[str, float]:
    """The log-probability of each choice, each from one evaluation of prompt and choice."""
    text = model.prompts.render(messages)
    images = model.prompts.images(messages)
    given = {"images": [images]} if images else {}

    def evaluated(text: str) -> tuple[list[int], torch.Tensor]:
        inputs = model._processor(text=[text], return_tensors="pt", add_special_tokens=False, **given)
        with torch.inference_mode():
            logits = model._model(**inputs).logits[0]
        return inputs["input_ids"][0].tolist(), logits.double().log_softmax(dim=-1)

    before, _ = evaluated(text)
    found = {}
    for choice in choices:
        tokens, logs = evaluated(text + choice)
        said = sum(logs[i - 1, tokens[i]].item() for i in range(len(before), len(tokens)))
        found[choice] = said + logs[-1][sorted(model._ending.tokens)].logsumexp(dim=0).item()
    return found


def agrees(reply: Reply, expected: dict[str, float]) -> bool:
    best = sorted(expected, key=lambda c: -expected[c])
    assert next(iter(reply.weighed)) == reply.text == best[0]
    assert list(reply.weighed) == best[:NOTED]
    return all(reply.weighed[c] == pytest.approx(expected[c], abs=1e-3) for c in reply.weighed)


# --------------------------------------------------------------------------- the weights


def test_as_one_by_one(reading: Transformers) -> None:
    (reply,) = reading.generate_batch([(ask("hello"), COLD)])
    assert agrees(reply, plainly(reading, ask("hello"), CHOICES))


def test_a_hundred_actions_and_one(reading: Transformers) -> None:
    many, one = reading.generate_batch(
        [(ask("hello"), replace(COLD, choices=HUNDRED)), (ask("hello"), replace(COLD, choices=("only this",)))]
    )
    assert agrees(many, plainly(reading, ask("hello"), HUNDRED)) and one.text == "only this"


def test_in_a_batch_as_alone(reading: Transformers) -> None:
    """Prompts and lists of any length together, free replies between them, some of it known from before."""
    calls = [
        (ask("hello"), COLD),
        (ask("a longer question, " * 20), replace(COLD, choices=HUNDRED)),
        (ask("hello"), Settings(temperature=0, max_tokens=7)),
        (ask("hello", "again"), replace(COLD, choices=("one",))),
        (ask("a longer question, " * 20 + "then"), replace(COLD, temperature=1.0, seed=4)),
    ]
    together = reading.generate_batch(calls)
    for call, reply in zip(calls, together, strict=True):
        (alone,) = reading.generate_batch([call])
        assert (alone.text, alone.token_ids, alone.stop) == (reply.text, reply.token_ids, reply.stop)
        if call[1].choices:
            assert alone.weighed == pytest.approx(reply.weighed, abs=1e-3)
    assert reading.generate_batch(calls[:1])[0].usage.cached > 0


def test_in_small_portions(reading: Transformers, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into one evaluation of the tree goes in several, parents first."""
    (whole,) = reading.generate_batch([(ask("hello"), replace(COLD, choices=HUNDRED))])
    monkeypatch.setattr(packed, "SCORES", 1)
    (portions,) = reading.generate_batch([(ask("hello"), replace(COLD, choices=HUNDRED))])
    assert portions.weighed == pytest.approx(whole.weighed, abs=1e-3)


@pytest.mark.parametrize("make", [tiny.llava, tiny.idefics3, sliding], ids=["llava", "idefics3", "sliding"])
def test_models_that_evaluate_whole_prompts(
    make: Callable[[Path], Path], tmp_path: Path, picture: Image, blobs: MemoryBlobs
) -> None:
    path = make(tmp_path / "tiny")
    model = Transformers(ModelConfig("transformers", "tiny", path=str(path), threads=1, batch=3), blobs)
    prompt = ask("look at this, it is long enough") if make is sliding else ask("look", picture)
    (reply,) = model.generate_batch([(prompt, COLD)])
    assert agrees(reply, plainly(model, prompt, CHOICES))


def test_the_shorter_of_two_that_begin_alike(reading: Transformers) -> None:
    """Each is an event of its own: together with all other replies they make one."""
    (reply,) = reading.generate_batch([(ask("hello"), replace(COLD, choices=("a", "ab", "abc")))])
    logs = reply.weighed
    (longer,) = reading.generate_batch([(ask("hello"), replace(COLD, choices=("abc", "ab")))])
    assert longer.weighed == pytest.approx({c: logs[c] for c in ("ab", "abc")}, abs=1e-3)
    assert sum(math.exp(v) for v in logs.values()) < 1


# --------------------------------------------------------------------------- the choice


def test_draws_follow_the_weights(reading: Transformers) -> None:
    choices = ("a", "b", "c")
    (cold,) = reading.generate_batch([(ask("hello"), replace(COLD, choices=choices))])
    for temperature in (1.0, 0.5):
        calls = [(ask("hello"), Settings(temperature=temperature, seed=i, choices=choices)) for i in range(400)]
        drawn = [r.text for r in reading.generate_batch(calls)]
        shares = {c: math.exp(v / temperature) for c, v in cold.weighed.items()}
        total = sum(shares.values())
        for c in choices:
            p = shares[c] / total
            assert abs(drawn.count(c) / 400 - p) < 4 * math.sqrt(p * (1 - p) / 400)


def test_what_a_reply_says(reading: Transformers) -> None:
    (reply,) = reading.generate_batch([(ask("hello"), replace(COLD, choices=("go", "go north"), max_tokens=1))])
    expected = plainly(reading, ask("hello"), ("go", "go north"))
    assert reply.stop == "stop" and reading._tokenizer.decode(reply.token_ids) == reply.text
    # one token a byte: eight for "go north", of which "go" is the beginning, and an end
    assert reply.usage.output == 9 and len(reply.logprobs) == len(reply.text)
    end = reply.weighed[reply.text] - sum(reply.logprobs)
    assert end <= 0 and reply.weighed[reply.text] == pytest.approx(max(expected.values()), abs=1e-3)


def test_the_one_that_was_drawn_is_recorded(reading: Transformers) -> None:
    calls = [(ask("hello"), Settings(temperature=2.0, seed=i, choices=HUNDRED)) for i in range(20)]
    replies = reading.generate_batch(calls)
    assert all(r.text in r.weighed for r in replies) and {len(r.weighed) for r in replies} == {NOTED, NOTED + 1}


# --------------------------------------------------------------------------- spelling


def test_answers_that_join_the_prompts_last_token() -> None:
    """A tokenizer may write the end of the prompt and the beginning of an answer as one token."""

    class Pairs:
        """A token for each two characters."""

        def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
            return {"input_ids": [sum(map(ord, text[i : i + 2])) for i in range(0, len(text), 2)]}

    assert spell(Pairs(), "abcd", ("x", "xy")) == (0, [[ord("x")], [ord("x") + ord("y")]])
    back, spelled = spell(Pairs(), "abc", ("x", "xyz"))
    assert back == 1 and spelled == [[ord("c") + ord("x")], [ord("c") + ord("x"), ord("y") + ord("z")]]


def test_a_tree_holds_what_is_shared_once() -> None:
    tree = Answers.of(("ab", "a", "", "cb"), [[1, 2], [1], [], [3, 2]])
    assert (tree.tokens, tree.parents, tree.depths) == ((1, 2, 3, 2), (-1, 0, -1, 2), (0, 1, 0, 1))
    assert [tree.path(i) for i in range(4)] == [[0, 1], [0], [], [2, 3]]


# --------------------------------------------------------------------------- limits


def test_a_template_that_opens_a_thought(tmp_path: Path) -> None:
    """Templates that can are told not to; one that does it always has no room for an action."""
    opens = "{% if add_generation_prompt %}<think>\n{% endif %}"
    always = made(tmp_path / "a", lambda p: tiny.text_model(p, tiny.TEMPLATE + opens))
    with pytest.raises(PromptRefused, match="begins every reply with a thought") as caught:
        always.generate_batch([(ask("hello"), COLD)])
    assert (caught.value.why, caught.value.parameter) == ("a setting", "agent.format")
    polite = "{% if enable_thinking is not defined or enable_thinking %}" + opens + "{% endif %}"
    told = made(tmp_path / "b", lambda p: tiny.text_model(p, tiny.TEMPLATE + polite))
    assert told.generate_batch([(ask("hello"), COLD)])[0].text in CHOICES
    assert told.prompts.render(ask("hello")).endswith("<think>\n")


def test_a_prompt_that_leaves_no_room(tmp_path: Path) -> None:
    model = made(tmp_path, tiny.text_model, context=40)
    assert model.generate_batch([(ask("hello"), replace(COLD, choices=("go",)))])[0].text == "go"
    with pytest.raises(PromptTooLong, match="does not fit its context of 40"):
        model.generate_batch([(ask("hello"), replace(COLD, choices=("go", "x" * 30)))])


async def test_a_cancelled_choice_and_a_closed_model(tmp_path: Path) -> None:
    model = made(tmp_path, tiny.text_model)
    task = asyncio.create_task(model.generate(ask("word " * 300), replace(COLD, choices=HUNDRED)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await model.generate(ask("hello"), COLD)).text in CHOICES
    await model.aclose()
    with pytest.raises(ModelRefused, match="is closed"):
        await model.generate(ask("hello"), COLD)


@pytest.mark.parametrize("whole", [False, True])
def test_told_to_halt(tmp_path: Path, whole: bool) -> None:
    model = made(tmp_path, sliding if whole else tiny.text_model)
    assert model.answer([(ask("hello"), COLD)], lambda: True)[0].text == ""
