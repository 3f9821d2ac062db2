"""Makes the TextWorld games that the package ships: embodied/games/textworld/data/<task>-<seed>.json.xz, seeds 0 to 9.

    nice python scripts/make_textworld_games.py                      # those that are missing; about 15 CPU minutes for
    all nice python scripts/make_textworld_games.py --check --task ...   # makes them anew and compares

The games depend on TextWorld's version and on `embodied.games.textworld.generate`. Every game is compiled and won by
its walkthrough before it is written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import sys
import tempfile
import time
from pathlib import Path

import embodied.games.textworld as package
from embodied.games.textworld.compiler import compile_story
from embodied.games.textworld.games import SHIPPED
from embodied.games.textworld.generate import CHALLENGES, generate
from embodied.games.textworld.interpreters import ZMachine

DATA = Path(package.__file__).parent / "data"


def won_by_walkthrough(story: bytes, walkthrough: list[str]) -> bool:
    """Whether the walkthrough wins the game."""
    with tempfile.NamedTemporaryFile(suffix=".z8") as file:
        file.write(story)
        file.flush()
        machine = ZMachine()
        machine.start(Path(file.name), seed=0)
        return "*** The End ***" in [machine.send(command) for command in walkthrough][-1]


def main() -> int:
    """The command line. Returns 1 when a game failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--task", choices=sorted(CHALLENGES), action="append", help="only this task; may be given more than once"
    )
    parser.add_argument("--check", action="store_true", help="write nothing, compare with what is there")
    args = parser.parse_args()
    failed = 0
    DATA.mkdir(exist_ok=True)
    for task in args.task or CHALLENGES:
        for seed in range(SHIPPED):
            path = DATA / f"{task}-{seed}.json.xz"
            if path.exists() and not args.check:
                continue
            began = time.monotonic()
            data = generate(task, seed)
            if args.check:
                good = lzma.decompress(path.read_bytes()) == data
            else:
                story = compile_story(data)
                good = won_by_walkthrough(story, json.loads(data)["metadata"]["walkthrough"])
                if good:
                    path.write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
            failed += not good
            verdict = "good" if good else "FAILED"
            print(
                f"{path.name}: {verdict}, {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]},"
                f" {time.monotonic() - began:.0f} s",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
