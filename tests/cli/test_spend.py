"""What a run costs, on the command line: the estimate before, the budget during, the sum after."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from embodied.cli import main
from embodied.rollout.spend import used
from embodied.store import Run
from tests.servers import Stub, stub

__all__ = ["stub"]

BABYAI = ("--env", "babyai", "--task", "BabyAI-MixedTrainLocal-v0/goto")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return call


def served(stub: Stub, *words: str) -> tuple[str, ...]:
    """A request to the stub, which answers every prompt with a turn to the left and counts words for tokens."""
    stub.reply = "turn left"
    model = (
        "--agent",
        "naive",
        "--model",
        "openai/gpt-4o",
        f"model.base_url={stub.url}/v1",
        "run.price=[1000,100,10000]",
    )
    return ("eval", *BABYAI, *model, "--steps", "6", "--out", "run", "run.workers=1", "run.concurrency=2", *words)


def test_dry_run_needs_no_key_calls_nobody_and_writes_nothing(cli: Call) -> None:
    code, out, _ = cli("eval", *BABYAI, "--agent", "gpt4o", "--episodes", 3, "--steps", 20, "--dry-run")
    assert code == 0 and "2.5 dollars per million tokens of input" in out
    row = next(line for line in out.splitlines() if line.startswith("babyai"))
    assert re.search(r"babyai +3 +6 to 60 +\S+ to \S+ +24 to 960 +0\.00\d+ to 0\.\d+$", row), row
    assert not [p for p in Path().iterdir() if p.name != "cache"]


def test_dry_run_of_what_has_no_price(cli: Call) -> None:
    words = (
        "--agent",
        "naive",
        "--model",
        "compatible/mine",
        "model.base_url=http://127.0.0.1:9/v1",
        "--steps",
        4,
        "--episodes",
        1,
        "--dry-run",
    )
    _, out, _ = cli("eval", *BABYAI, *words)
    assert "not known" in out and "run.price" in out
    _, out, _ = cli("eval", *BABYAI, *words, "run.price=[1,1,1]")
    assert "your own" in out and "not known" not in out
    assert "asks no model" in cli("eval", *BABYAI, "--agent", "random", "--dry-run")[1]


def test_the_estimate_holds_what_the_run_then_uses(cli: Call, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the stub's tokens, which are words, the run lies within the range."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    _, out, _ = cli(*served(stub, "--episodes", "2", "--dry-run"))
    low, high = (float(n) for n in re.search(r"12 +(\d+) to (\d+)", out.replace("2 to 12", "12")).groups())
    assert cli(*served(stub, "--episodes", "2"))[0] == 0
    assert low <= used(Run("run")).input <= high


def test_a_budget_stops_the_run_which_goes_on_with_more(cli: Call, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    code, out, err = cli(*served(stub, "--episodes", "4", "run.budget.tokens=3000"))
    assert code == 5 and "3,000 tokens is spent" in out + err and "run.budget.tokens" in out + err
    first, calls = used(Run("run")), stub.requests
    assert 2000 < first.input + first.output <= 3000
    assert calls * 7 == first.output  # what was called is recorded, every call of it

    before = {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}
    code, out, err = cli(*served(stub, "--episodes", "4", f"run.budget.tokens={first.input + first.output}"))
    assert code == 5 and "is spent" in err and stub.requests == calls
    assert {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()} == before

    code, out, _ = cli(*served(stub, "--episodes", "4", "run.budget.tokens=100000"))
    assert code == 0 and "4/4" in out
    assert stub.requests == 4 * 6  # no step was asked twice
    total = used(Run("run"))
    assert total.output == 24 * 7
    dollars = ((total.input - total.cached) * 1000 + total.cached * 100 + total.output * 10000) / 1e6
    assert f"{total.input:,} tokens in" in out and f"{dollars:.4g} dollars" in out
    assert f"{100 * total.repeated / total.input:.0f} % repeated" in out


def test_a_deterministic_call_is_paid_for_once(cli: Call, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    cold = served(stub, "--episodes", "1", "model.temperature=0")
    assert cli(*cold)[0] == 0
    calls = stub.requests
    again = [word if word != "run" else "again" for word in cold]
    assert cli(*again)[0] == 0
    assert stub.requests == calls == 6
    assert used(Run("again")).input == 0
    (episode,) = Run("again").episodes()
    assert all(step.decision.calls[0].reply.cached for step in Run("again").steps(episode.spec.id))
    assert cli(*[word if word != "again" else "anew" for word in again], "run.cache=off")[0] == 0
    assert stub.requests == 2 * calls


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run.budget.tokens=0",), "run.budget.tokens must be above 0"),
        (("run.budget.dollars=1", "run.price=null"), "price of openai/gpt-4o is not known"),
        (("run.price=[1,2]",), "three numbers"),
        (("run.cache=sometimes",), "off, deterministic, all"),
    ],
)
def test_bad_words_touch_nothing(
    cli: Call, stub: Stub, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    code, out, err = cli(*served(stub, *words))
    assert code == 2 and says in out + err
    assert not Path("run").exists() and stub.requests == 0
