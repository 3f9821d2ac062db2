"""`python -m embodied.envs.check ENV ...`: a report for each environment."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from functools import partial

from embodied import envs
from embodied.envs.check import check
from embodied.envs.check.subject import Stranger
from embodied.errors import EmbodiedError, EnvironmentFailure, UsageError
from embodied.terminal import plain


def named(target: str) -> Callable[..., Stranger]:
    """What the command line names: `module:callable`, or an environment of the suite, `gym:ID` included.

    Raises:
        UsageError, EnvironmentFailure: It is not there, or cannot be made.
    """
    target = next((e.name for e in envs.ENTRIES.values() if e.id == target), target)
    module, _, attribute = target.partition(":")
    if not attribute or module == "gym":
        try:
            envs.make(target).close()
        except EmbodiedError:
            raise
        except Exception as error:  # a constructor may raise anything
            raise EnvironmentFailure(f"{target} failed in its making: {type(error).__name__}: {error}") from error
        return partial(envs.make, target)
    try:
        found: Callable[..., Stranger] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{target} is neither an environment's name nor module:callable: {error}.") from error
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: a report for each environment. Returns 1 when one breaks a rule, the error's exit code when one
    cannot be found, else 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m embodied.envs.check", description="Checks environments against the contract of LanguageEnv."
    )
    parser.add_argument("env", nargs="+", help="module:callable, a name or id of `embodied list envs`, or gym:ID")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20, help="steps played in each episode")
    args = parser.parse_args(argv)
    try:
        reports = [check(named(target), seed=args.seed, steps=args.steps) for target in args.env]
    except EmbodiedError as error:
        print(plain(f"error: {error}"), file=sys.stderr)
        return error.exit_code
    print(plain("\n".join(map(str, reports))))
    return 0 if all(report.ok for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
