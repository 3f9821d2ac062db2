"""Embodied: vision-language agents act, are measured, are corrected and get better.

Importing the package registers its environments with Gymnasium.

    import embodied

    print(embodied.evaluate("babyai", "random", task="goto", episodes=3))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

from embodied.envs import register

if TYPE_CHECKING:
    from embodied.evaluation import Evaluation
    from embodied.session import evaluate, evaluate_async, improve, improve_async, resume, resume_async

__all__ = ["Evaluation", "evaluate", "evaluate_async", "improve", "improve_async", "resume", "resume_async"]

register()


def __getattr__(name: str) -> Any:
    """The Python API, imported when it is first used: `import embodied` stays light."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from embodied import session

    return getattr(session, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
