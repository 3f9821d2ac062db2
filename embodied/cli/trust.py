"""Asking the person at the terminal about a folder from a stranger (see `embodied.trust`)."""

from __future__ import annotations

import sys
from pathlib import Path

from embodied import trust as rules
from embodied.agents.versions import AgentVersion
from embodied.store.run import Run
from embodied.terminal import plain


def require_trust(run: Run, trust: bool, *, play: bool) -> None:
    """As `embodied.trust.require_trust`; a person at the terminal is asked."""
    rules.require_trust(run, trust, play=play, ask=_allowed, say=say)


def require_trust_in_agent(version: AgentVersion, trust: bool) -> None:
    """As `embodied.trust.require_trust_in_agent`; a person at the terminal is asked."""
    rules.require_trust_in_agent(version, trust, ask=_playing_allowed, say=say)


def say(text: str) -> None:
    """Prints beside the results."""
    print(text, file=sys.stderr)


def _allowed(run: Run, what: str) -> bool:
    return _asked(f"{run.root} was not made by you on this machine. Continuing will {what}.")


def _playing_allowed(folder: Path, what: str) -> bool:
    return _asked(f"{folder} was not made by you on this machine. Playing it will {what}.")


def changing_allowed(run: Run) -> bool:
    """Whether a person at the terminal lets changes be written into a folder that is not theirs."""
    return _asked(f"{run.root} was not made by you on this machine. The page would write changes into it.")


def _asked(about: str) -> bool:
    """Asks; False if there is no terminal to ask at."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(plain(about), file=sys.stderr)
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")
