"""Local models through transformers: the embedded model, and tiny ones that read images."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import ModelRefused, ModelTimeout, PromptRefused, PromptTooLong, UsageError
from embodied.models import ModelConfig, build
from embodied.types import Image, Message, Part, Reply, Settings, Text

pytest.importorskip("torch")
import torch

from embodied.models.local.transformers import Transformers
from tests.models import tiny

GREEDY = Settings(temperature=0, max_tokens=6)
WARM = Settings(temperature=1.0, max_tokens=12, seed=5)


def ask(*parts: Part | str) -> list[Message]:
    return [Message("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))]


def content(reply: Reply) -> tuple[str, tuple[int, ...] | None, str]:
    return reply.text, reply.token_ids, reply.stop


@pytest.fixture(scope="module")
def cache(model_cache: Path) -> Iterator[Path]:
    """A user cache that holds the converted model and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(model_cache))
        yield model_cache


@pytest.fixture(scope="module")
def smollm2(cache: Path, blobs: MemoryBlobs) -> Iterator[Transformers]:
    """The embedded model, converted."""
    model = Transformers(ModelConfig("transformers", "smollm2", threads=1, logprobs=True), blobs)
    yield model
    asyncio.run(model.aclose())


@pytest.fixture(scope="module", params=[tiny.llava, tiny.idefics3], ids=["llava", "idefics3"])
def seeing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, blobs: MemoryBlobs
) -> Transformers:
    """A model that reads images, from a model folder."""
    make: Callable[[Path], Path] = request.param
    folder = make(tmp_path_factory.mktemp("model") / "tiny")
    return Transformers(ModelConfig("transformers", str(folder), threads=1, logprobs=True), blobs)


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory, blobs: MemoryBlobs) -> Transformers:
    """A tiny text model."""
    return Transformers(
        ModelConfig(
            "transformers", "tiny", path=str(tiny.text_model(tmp_path_factory.mktemp("model") / "text")), logprobs=True
        ),
        blobs,
    )


# --------------------------------------------------------------------------- the embedded model


async def test_answers(smollm2: Transformers) -> None:
    reply = await smollm2.generate(ask("Say hello."), Settings(temperature=0, max_tokens=8))
    assert "Hello" in reply.text
    assert reply.usage.output == len(reply.token_ids) == len(reply.logprobs)


async def test_agrees_with_the_other_engine(smollm2: Transformers, blobs: MemoryBlobs) -> None:
    """The two engines tokenize alike and, but for rounding, give the first token the same probability."""
    pytest.importorskip("xllamacpp")
    from embodied.models.local.gguf import Gguf

    other = Gguf(ModelConfig(threads=1, logprobs=True, context=1024), blobs)
    prompt = [Message("system", (Text("You are a guide."),)), *ask("What is the capital of France?")]
    one, two = await smollm2.generate(prompt, GREEDY), await other.generate(prompt, GREEDY)
    await other.aclose()
    assert one.usage.input == two.usage.input
    assert one.token_ids[0] == two.token_ids[0]
    assert one.logprobs[0] == pytest.approx(two.logprobs[0], abs=0.2)


async def test_the_gguf_is_converted_once(smollm2: Transformers, cache: Path, blobs: MemoryBlobs) -> None:
    (folder,) = (cache / "embodied" / "gguf").iterdir()  # and nothing half made beside it
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = Transformers(ModelConfig("transformers", "smollm2", threads=1), blobs)
    assert (await again.generate(ask("hi"), GREEDY)).text == (await smollm2.generate(ask("hi"), GREEDY)).text
    await again.aclose()
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_a_cache_that_cannot_be_written(tmp_path: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="XDG_CACHE_HOME"):
        Transformers(ModelConfig("transformers", "smollm2"), blobs)


# --------------------------------------------------------------------------- images


def test_images_are_seen(seeing: Transformers, picture: Image, other_picture: Image) -> None:
    first, again, other, none = [
        seeing.generate_batch([(ask("look", *p), GREEDY)])[0] for p in ([picture], [picture], [other_picture], [])
    ]
    assert first.logprobs == again.logprobs
    assert len({first.logprobs, other.logprobs, none.logprobs}) == 3
    assert first.usage.input > none.usage.input


def test_a_batch_answers_as_each_alone(seeing: Transformers, picture: Image, other_picture: Image) -> None:
    requests = [
        (ask("look", picture), GREEDY),
        (ask(picture, "and a longer question about", other_picture), dataclasses.replace(WARM, max_tokens=3)),
        (ask("no picture"), WARM),
    ]
    together = seeing.generate_batch(requests)
    alone = [seeing.generate_batch([request])[0] for request in requests]
    assert [content(r) for r in together] == [content(r) for r in alone]
    assert [(r.usage.input, r.usage.output) for r in together] == [(r.usage.input, r.usage.output) for r in alone]


async def test_through_build(tmp_path: Path, blobs: MemoryBlobs, picture: Image) -> None:
    model = build(ModelConfig("transformers", str(tiny.llava(tmp_path / "m")), threads=1), blobs)
    reply = await model.generate(ask("look", picture), GREEDY)
    await model.aclose()
    await model.aclose()
    assert (reply.usage.output, reply.stop, reply.token_ids) == (6, "length", None)
    with pytest.raises(ModelRefused, match="is closed"):
        await model.generate(ask("look"), GREEDY)


def test_texts_of_one_turn_are_kept_apart(seeing: Transformers, picture: Image) -> None:
    rendered = seeing.prompts.render([*ask("rules"), *ask("look", picture, "now"), *ask("go")])
    assert rendered == "<|start|>user\nrules\nlook<image>now\ngo<|end|>\n<|start|>assistant\n"


def test_text_models_refuse_images(reading: Transformers, picture: Image) -> None:
    with pytest.raises(PromptRefused, match=r"reads no images.*--text"):
        reading.generate_batch([(ask("look", picture), GREEDY)])


# --------------------------------------------------------------------------- decoding


def test_logprobs_are_the_models_own(reading: Transformers) -> None:
    """Each equals the log-softmax of a plain forward pass, whatever temperature and top_p the token was drawn with."""
    (reply,) = reading.generate_batch([(ask("hello"), dataclasses.replace(WARM, top_p=0.9))])
    prompt = reading._job(ask("hello"), WARM).tokens
    with torch.inference_mode():
        scores = torch.log_softmax(
            reading._model(torch.tensor([prompt + list(reply.token_ids)])).logits[0].float(), dim=-1
        )
    expected = [scores[len(prompt) - 1 + n, token].item() for n, token in enumerate(reply.token_ids)]
    assert list(reply.logprobs) == pytest.approx(expected, abs=1e-4)


def test_the_seed_decides_and_the_global_stream_is_left_alone(reading: Transformers) -> None:
    state = torch.get_rng_state()
    first, second, other = [
        reading.generate_batch([(ask("hello"), dataclasses.replace(WARM, seed=seed))])[0] for seed in (5, 5, 6)
    ]
    assert content(first) == content(second) != content(other)
    assert torch.equal(state, torch.get_rng_state())


def test_draws_follow_the_distribution() -> None:
    """1,600 draws from known probabilities: frequencies within four standard errors (0.05), nothing outside top_p or
    top_k.
    """
    import random

    from embodied.models.local.decoding import Row, sample

    shares = torch.tensor([0.1, 0.4, 0.2, 0.3])

    def draw(**limits: float) -> torch.Tensor:
        row = Row(
            **(
                {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 1, "stop": (), "random": random.Random(0)}
                | limits
            )
        )
        return torch.bincount(torch.tensor([sample(row, shares.log()) for _ in range(1600)]), minlength=4) / 1600

    assert torch.allclose(draw(), shares, atol=0.05)
    assert torch.allclose(draw(top_p=0.7), torch.tensor([0, 4 / 7, 0, 3 / 7]), atol=0.05)  # 0.4 + 0.3 reach 0.7
    assert draw(top_p=0.01)[1] == 1
    assert draw(top_k=1)[1] == 1
    cold = shares**2 / (shares**2).sum()
    assert torch.allclose(draw(temperature=0.5), cold, atol=0.05)


def test_stop_strings_and_limits_row_by_row(reading: Transformers) -> None:
    (free,) = reading.generate_batch([(ask("hello"), dataclasses.replace(WARM, max_tokens=40))])
    stop = free.text[10:12]
    stopped, short, same = reading.generate_batch(
        [
            (ask("hello"), dataclasses.replace(WARM, max_tokens=40, stop=("never there", stop))),
            (ask("hello"), dataclasses.replace(WARM, max_tokens=3)),
            (ask("hello"), dataclasses.replace(WARM, max_tokens=40)),
        ]
    )
    assert stopped.text == free.text[: free.text.index(stop)].strip() and stopped.stop == "stop"
    assert (short.usage.output, short.stop, same.text) == (3, "length", free.text)


def test_a_prompt_beyond_the_context(reading: Transformers) -> None:
    with pytest.raises(PromptTooLong, match="does not fit its context of 2048"):
        reading.generate_batch([(ask("x" * 3000), GREEDY)])
    (reply,) = reading.generate_batch([(ask("x" * 2010), Settings(temperature=0, max_tokens=500))])
    assert reply.stop in ("length", "stop") and reply.usage.input + reply.usage.output <= 2048


async def test_too_slow(tmp_path: Path, blobs: MemoryBlobs) -> None:
    model = Transformers(ModelConfig("transformers", str(tiny.text_model(tmp_path / "m")), timeout=1e-6), blobs)
    with pytest.raises(ModelTimeout, match=r"model\.max_tokens"):
        await model.generate(ask("hello"), Settings(temperature=1.0, max_tokens=1500))
    await model.aclose()


# --------------------------------------------------------------------------- templates and bad input


def test_a_template_without_a_system_role(tmp_path: Path, blobs: MemoryBlobs) -> None:
    strict = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}[{{ m.role"
        " }}]{{ m.content }}{% endfor %}"
    )
    model = Transformers(ModelConfig("transformers", str(tiny.text_model(tmp_path / "m", strict))), blobs)
    assert model.prompts.render([Message("system", (Text("rules"),)), *ask("go")]) == "[user]rules\ngo"


def test_a_correction_is_joined_for_a_template_that_refuses_two_user_messages(
    tmp_path: Path, blobs: MemoryBlobs
) -> None:
    """The rule is that of Gemma's and Mistral's templates, in their words."""
    turns = (
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "[{{ m.role }}]{{ m.content }}{% endfor %}"
    )
    model = Transformers(ModelConfig("transformers", str(tiny.text_model(tmp_path / "m", turns))), blobs)
    words = Message("user", (Text("\nA person who watches you says: left"),))
    asked = [*ask("a wall"), words]
    with pytest.raises(Exception, match="roles must alternate"):
        model.prompts._apply(asked, True)
    assert model.prompts.render(asked) == "[user]a wall\n\nA person who watches you says: left"


def test_a_template_that_refuses(tmp_path: Path, blobs: MemoryBlobs) -> None:
    model = Transformers(
        ModelConfig("transformers", str(tiny.text_model(tmp_path / "m", "{{ raise_exception('never') }}"))), blobs
    )
    with pytest.raises(PromptRefused, match=r"chat template refuses.*never"):
        model.generate_batch([(ask("hello"), GREEDY)])


def test_a_base_model(tmp_path: Path, blobs: MemoryBlobs) -> None:
    with pytest.raises(UsageError, match="no chat template"):
        Transformers(ModelConfig("transformers", str(tiny.text_model(tmp_path / "m", None))), blobs)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"device": "gpu"}, "auto, cpu, cuda, cuda:N"),
        ({"device": "cuda:64"}, "CUDA devices here"),
        ({"dtype": "int3"}, "float32, bfloat16, float16"),
        ({"path": "/no/such/folder"}, "there is no folder"),
        ({"path": "/no/such/file.gguf"}, "there is no file"),
        ({"name": "nobody/no-such-model"}, "Nothing is downloaded"),
    ],
)
def test_values_that_make_no_sense(blobs: MemoryBlobs, wrong: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Transformers(ModelConfig(**({"provider": "transformers", "name": "x"} | wrong)), blobs)


def test_a_folder_that_is_no_model(tmp_path: Path, blobs: MemoryBlobs) -> None:
    with pytest.raises(UsageError, match="cannot be loaded"):
        Transformers(ModelConfig("transformers", str(tmp_path)), blobs)
    (tmp_path / "config.json").write_text('{"model_type": "from-the-future"}')
    with pytest.raises(UsageError, match="cannot be loaded"):
        Transformers(ModelConfig("transformers", str(tmp_path)), blobs)
