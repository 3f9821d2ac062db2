"""Work on an environment in a process of its own: one that crashes, raises or hangs ends in one sentence."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from embodied import errors, secrets
from embodied.errors import EmbodiedError, EnvironmentFailure
from embodied.registry import load
from embodied.terminal import line, plain

SECONDS = 600
"""Seconds that an environment has; as `run.reset_seconds`."""
PATIENCE = 10
"""Seconds after which the user hears that the environment is waited for."""


def apart(work: str, name: str, seconds: float = SECONDS, /, **arguments: Any) -> Any:
    """Calls a function in a process of its own.

    Args:
        work: `module:function`. Takes the arguments, returns plain JSON.
        name: The environment, for sentences.
        seconds: Seconds after which the process is ended.
        **arguments: Plain JSON.

    Raises:
        EnvironmentFailure: The process died or hung, or the function raised what is not an `EmbodiedError`.
        EmbodiedError: The function raised it.
    """
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as said:
        command = [sys.executable, "-P", "-m", "embodied.cli.apart", work, name, json.dumps(arguments)]
        path = os.pathsep.join(p or os.getcwd() for p in sys.path)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=said,
            env={**secrets.without(os.environ), "PYTHONPATH": path},  # simulators need no keys
            start_new_session=True,
        )
        try:
            _wait(process, name, seconds)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        answer.seek(0)
        said.seek(0)
        return _answer(answer.read(), said.read().decode(errors="replace"), process.returncode, name)


def _wait(process: subprocess.Popen[bytes], name: str, seconds: float) -> None:
    """Waits for the end. Raises `EnvironmentFailure` after `seconds`."""
    try:
        process.wait(min(PATIENCE, seconds))
        return
    except subprocess.TimeoutExpired:
        if seconds > PATIENCE:
            print(line(f"Waiting for {name}, {seconds:g} s at most. Ctrl-C stops."), file=sys.stderr, flush=True)
    try:
        process.wait(max(0, seconds - PATIENCE))
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"{name} did not answer within {seconds:g} s and was ended.") from None


def _answer(data: bytes, said: str, code: int, name: str) -> Any:
    if not data:
        how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        last = said.strip().splitlines()[-1:]
        raise EnvironmentFailure(f"{name}: its process {how}" + (f", saying: {last[0]}" if last else "."))
    answer = json.loads(data)
    if "error" not in answer:
        print(plain(said), end="", file=sys.stderr)  # warnings
        return answer["result"]
    kind = getattr(errors, answer["kind"], EnvironmentFailure)
    error: EmbodiedError = kind.__new__(kind)
    error.args = (answer["error"],)
    raise error


def _called(work: Callable[..., Any], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the work gave, or what it raised."""
    try:
        return {"result": work(**arguments)}
    except EmbodiedError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - a simulator may raise anything
        return {"error": line(f"{name} failed: {type(error).__name__}: {error}"), "kind": EnvironmentFailure.__name__}


def main() -> None:
    """The process: does the work of its command line and writes the answer."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: what hangs does not outlive the command
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what simulators print is not the answer
    work, name, arguments = sys.argv[1:]
    told = json.dumps(_called(load(work), name, json.loads(arguments)))
    answer.write(told)
    answer.flush()
    os._exit(0)  # what a simulator does at the end of its process is not asked for


if __name__ == "__main__":
    main()
