"""The contract checker: does an environment keep the contract of `LanguageEnv`? It takes our environments and yours.

On the command line, a class or any callable that makes an environment, or names of environments:

    python -m embodied.envs.check my_module:MyEnv
    python -m embodied.envs.check babyai gym:CartPole-v1

In code:

    report = check(MyEnv)
    assert report.ok, report

In pytest, a test for each rule:

    class TestMyEnv(EnvContract):
        def make(self, **options):
            return MyEnv(**options)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium

from embodied.envs.check.rules import RULES
from embodied.envs.check.subject import Rule, Stranger, Subject, Warned


@dataclass(repr=False)
class Report:
    """What `check` found."""

    name: str
    rules: tuple[str, ...]
    """Names of the rules that were checked."""
    violations: list[tuple[str, str]] = field(default_factory=list)
    """(rule, sentence)."""
    warnings: list[tuple[str, str]] = field(default_factory=list)
    """(rule, sentence): worth a look, but not wrong."""

    @property
    def ok(self) -> bool:
        return not self.violations

    def __str__(self) -> str:
        broken = {rule for rule, _ in self.violations}
        head = (
            f"{self.name} keeps all {len(self.rules)} rules."
            if self.ok
            else f"{self.name} breaks {len(broken)} of {len(self.rules)} rules:"
        )
        lines = [f"  {rule}: {sentence}" for rule, sentence in self.violations]
        return "\n".join([head, *lines, *(f"  ({rule}: {sentence})" for rule, sentence in self.warnings)])

    __repr__ = __str__  # so that `assert report.ok, report` shows the sentences


def check(
    env: Callable[..., Stranger] | gymnasium.Env[Any, Any],
    *,
    seed: int = 0,
    steps: int = 20,
    actions: Sequence[str] | None = None,
) -> Report:
    """Checks every rule of the contract and says each violation in a sentence. Never raises for what the environment
    does.

    Args:
        env: What makes the environment, called several times (`lambda: MyEnv(task="a")`, the class, or
            `functools.partial(embodied.envs.make, "babyai")`; when it takes `image=True` pictures are checked too). An
            environment itself is accepted, too; then the rules about two instances are skipped.
        seed: Seed of the episodes played, in [0, 2**31).
        steps: Steps played in each of them.
        actions: Phrases to play; default: drawn from the action space.

    Returns:
        The report; print it, or assert its `ok`.
    """
    subject = Subject(_factory(env), seed=seed, steps=steps, actions=actions, single=isinstance(env, gymnasium.Env))
    report = Report(_name(env), tuple(RULES))
    for name, rule in RULES.items():
        for found in subject.findings(rule):
            (report.warnings if isinstance(found, Warned) else report.violations).append((name, str(found)))
        if name == "make" and not report.ok:  # nothing else can be said
            break
    return report


class EnvContract:
    """A pytest mixin: inherit it, write `make`, and get a test for every rule of the contract."""

    seed = 0
    steps = 20
    actions: Sequence[str] | None = None

    def make(self, **options: Any) -> gymnasium.Env[Any, Any]:
        """Makes the environment. Pass `options` on (`image=True`) when it has pictures."""
        raise NotImplementedError("Write `make`, which returns your environment.")


def _test_of(rule: Rule) -> Callable[[EnvContract], None]:
    def test(self: EnvContract) -> None:
        subject = Subject(self.make, seed=self.seed, steps=self.steps, actions=self.actions)
        violations = [str(found) for found in subject.findings(rule) if not isinstance(found, Warned)]
        assert not violations, "\n".join(violations)

    test.__doc__ = rule.__doc__
    return test


for _rule_name, _rule in RULES.items():
    setattr(EnvContract, f"test_{_rule_name}", _test_of(_rule))


def _factory(env: Callable[..., Stranger] | gymnasium.Env[Any, Any]) -> Callable[..., Stranger]:
    return (lambda: env) if isinstance(env, gymnasium.Env) else env


def _name(env: Any) -> str:
    if isinstance(env, gymnasium.Env):
        return type(env.unwrapped).__name__
    if isinstance(env, partial):
        return " ".join([*map(str, env.args), *(f"{k}={v}" for k, v in env.keywords.items())])
    return str(getattr(env, "__qualname__", repr(env)))
