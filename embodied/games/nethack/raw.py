"""The one low-level NetHack of this package: keys in, screen buffers out, on nle 1.3 and on balrog-nle 0.9 alike.

It sits on `nle._pynethack`, not on NLE's Gymnasium environment: seeds that take effect, a clock that stands still,
arrays that are allocated once, and nothing left behind when it is closed. One object plays one game at a time; several
objects live in one process, each with its own copy of the library (about 4 MB).

    game = NetHack(character="val-hum-neu-fem")
    game.start(seed=7)
    game.press(ord("l"))
    print(bytes(game.tty_chars[0]).decode(), game.done)
    game.close()
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from nle import _pynethack
from nle._pynethack import nethack as _constants
from nle.nethack import NETHACKOPTIONS, OBSERVATION_DESC

from embodied.errors import EnvironmentFailure, UsageError
from embodied.games.nethack import clock
from embodied.seeding import derive

OPTIONS: tuple[str, ...] = tuple(NETHACKOPTIONS)
"""NLE's own options (autopickup of `$?!/`, no legacy text, score and time on the status line, ...)."""

HACKDIR = Path(_pynethack.__file__).parent / "nethackdir"
"""Where the wheel keeps NetHack's data (`nhdat`) and its compilers (`lev_comp`, `dlb`)."""

BUFFERS: tuple[str, ...] = (
    *("glyphs", "chars", "colors", "blstats", "message", "program_state", "internal", "misc"),
    *("inv_letters", "inv_strs", "inv_oclasses", "tty_chars", "tty_colors", "tty_cursor"),
)
"""What NetHack fills in at each key, by default. Also available: specials, inv_glyphs and screen_descriptions. The last
one changes the game (`embodied.games.minihack.level.DESCRIPTIONS`): MiniHack asks for it, NLE's NetHackChallenge does
not. With it, three of six public NetHack records do not replay."""

_LIBRARY = Path(_pynethack.__file__).parent / "libnethack.so"
_SPACE = 32
_IN_MOVELOOP = 3  # index in program_state
_PAGES = 1000  # more than the start of any game shows


@cache
def wheel() -> str:
    """The installed simulator, such as `nle 1.3.0` or `balrog-nle 0.9.0`: seeds give other dungeons on another one."""
    for name in ("nle", "balrog-nle"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "nle (version unknown)"


class NetHack:
    """NetHack 3.6.7 (nle 1.3) or 3.6.6 (balrog-nle 0.9).

    Every buffer is an attribute, allocated once and overwritten by each key: copy what you want to keep. Shapes and
    dtypes:
        glyphs (21, 79) int16 · chars, colors (21, 79) uint8 · blstats (27,) int64 · message (256,) uint8 ·
        inv_letters, inv_oclasses (55,) uint8 · inv_strs (55, 80) uint8 ·
        tty_chars (24, 80) uint8 · tty_colors (24, 80) int8, 0 to 15, plus 16 where reversed · tty_cursor (2,) uint8,
        row then column · program_state (6,), internal (9,), misc (3,) int32 (see NLE's `winrl.cc`).

    Args:
        options: NetHack options. The name, and `race/gender/align:random` for the character "@", are added.
        character: Such as `val-dwa-law-fem`, or "@": the seed decides.
        buffers: Names of the buffers to fill. `program_state` is always among them.
        hackdir: Folder with another `nhdat` than the wheel's.
        wizard: Play in NetHack's debug mode.
        spawn_monsters: False keeps monsters from appearing after the level was made.

    Raises:
        UsageError: An unknown buffer, or no `nhdat` in `hackdir`.
    """

    glyphs: npt.NDArray[np.int16]
    chars: npt.NDArray[np.uint8]
    colors: npt.NDArray[np.uint8]
    blstats: npt.NDArray[np.int64]
    message: npt.NDArray[np.uint8]
    program_state: npt.NDArray[np.int32]
    internal: npt.NDArray[np.int32]
    misc: npt.NDArray[np.int32]
    inv_letters: npt.NDArray[np.uint8]
    inv_strs: npt.NDArray[np.uint8]
    inv_oclasses: npt.NDArray[np.uint8]
    tty_chars: npt.NDArray[np.uint8]
    tty_colors: npt.NDArray[np.int8]
    tty_cursor: npt.NDArray[np.uint8]

    def __init__(
        self,
        *,
        options: Iterable[str] = OPTIONS,
        character: str = "@",
        buffers: Iterable[str] = BUFFERS,
        hackdir: Path = HACKDIR,
        wizard: bool = False,
        spawn_monsters: bool = True,
    ):
        names = dict.fromkeys((*buffers, "program_state"))
        for name in names:
            if name not in OBSERVATION_DESC:
                raise UsageError(f"NetHack has no buffer {name!r}; it has {', '.join(OBSERVATION_DESC)}.")
            setattr(self, name, np.zeros(**OBSERVATION_DESC[name]))

        directory = tempfile.TemporaryDirectory(prefix="embodied-nethack-")
        self.directory = Path(directory.name)
        """The game's own folder: data, save files, records. Deleted by `close`."""
        self._finalizer: weakref.finalize[..., NetHack] = weakref.finalize(self, directory.cleanup)
        self.use_data(hackdir / "nhdat")

        library, path, stopped = _copy_of_library(self.directory)
        self.library = path
        """Where the game's own copy of NetHack's library was loaded from."""
        arguments = [path, str(self.directory), _option_string(options, character, wizard), spawn_monsters]
        if not stopped and wheel().startswith("nle 1"):
            arguments.append(True)  # fix_moon_phase: the next best thing
        self._game: Any = _pynethack.Nethack(*arguments)
        self._game.set_buffers(**{name: getattr(self, name) for name in names})
        self._finalizer.detach()
        self._finalizer = weakref.finalize(self, _close, self._game, library, directory)

    def start(self, seed: int, *, display: int | None = None, level: int | None = None) -> None:
        """Starts a game and presses space until it asks for a command. A game under way is dropped.

        Args:
            seed: Of the core random numbers, in [0, 2**64).
            display: Of the numbers used for looks only (hallucination); None derives it from `seed`.
            level: Of level generation: on nle 1.3 levels then do not depend on what the hero did before. None leaves
                them to the core numbers. balrog-nle 0.9 has no such seed and takes no notice.

        Raises:
            EnvironmentFailure: The game did not get to its first command, or was closed.
        """
        if not self._finalizer.alive:
            raise EnvironmentFailure("This NetHack was closed; make a new one.")
        self._forget()
        display = derive(seed, "nethack", "display") if display is None else display
        try:
            self._game.set_initial_seeds(seed, display, False, level)
        except TypeError:  # balrog-nle 0.9: no level seed
            self._game.set_initial_seeds(seed, display, False)
        self._game.reset()
        for _ in range(_PAGES):
            if self.program_state[_IN_MOVELOOP]:
                return
            if self.press(_SPACE):
                break
        raise EnvironmentFailure(f"NetHack did not get to its first command with seed {seed}; try another seed.")

    def press(self, key: int) -> bool:
        """Presses a key (0 to 255, Meta is 128 + the letter), fills the buffers and returns whether the game is over.

        Raises:
            RuntimeError: The game is over or was never started.
        """
        self._game.step(key)
        return bool(self._game.done())

    @property
    def done(self) -> bool:
        """Whether the game is over."""
        return bool(self._game.done())

    @property
    def in_play(self) -> bool:
        """Whether the status numbers are live: false before the first turn and on the screens after death."""
        return bool(self._game.in_normal_game())

    @property
    def how_done(self) -> int:
        """How the game ended, one of NetHack's `game_end_types`: 0 died, ..., 15 escaped, 16 ascended (`end_name` has
        the word).
        """
        return int(self._game.how_done())

    @property
    def end_name(self) -> str:
        """`how_done` as a word: died, choking, poisoning, starving, drowning, quit, escaped, ascended, ..."""
        return str(_constants.game_end_types(self.how_done).name).lower()

    @property
    def epitaph(self) -> str:
        """How the game ended in NetHack's words, such as `killed by a jackal, while praying`; empty while it is under
        way.
        """
        lines = (self.directory / "xlogfile").read_text(encoding="latin-1").splitlines()
        fields = dict(field.partition("=")[::2] for field in lines[-1].split("\t")) if lines else {}
        return fields.get("death", "") + (f", while {fields['while']}" if "while" in fields else "")

    def use_data(self, nhdat: Path) -> None:
        """Plays the games started from now on with this compiled data archive (for levels of one's own, see `lev_comp`
        and `dlb`).

        Raises:
            UsageError: There is no such file.
        """
        if not nhdat.is_file():
            raise UsageError(f"There is no NetHack data archive {nhdat}.")
        link = self.directory / "nhdat"
        link.unlink(missing_ok=True)
        link.symlink_to(nhdat.resolve())

    def _forget(self) -> None:
        """Empties the game's folder of what earlier games left: the top ten list, levels, saved games."""
        for path in self.directory.rglob("*"):
            if path.name != "nhdat" and not path.is_dir():
                path.unlink()
        (self.directory / "save").mkdir(exist_ok=True)
        for name in ("perm", "record", "logfile", "xlogfile"):  # NetHack locks these and does not create them
            (self.directory / name).touch()

    def close(self) -> None:
        """Ends the game, unloads the library and deletes the folder. A second call does nothing."""
        self._finalizer()

    def __enter__(self) -> NetHack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _option_string(options: Iterable[str], character: str, wizard: bool) -> str:
    parts = [*options, f"name:Agent-{character}"]
    if character == "@":
        parts += [
            f"{key}:random" for key in ("race", "gender", "align") if not any(o.startswith(f"{key}:") for o in parts)
        ]
    if wizard:
        parts.append("playmode:debug")
    return ",".join(parts)


def _copy_of_library(directory: Path) -> tuple[IO[bytes], str, bool]:
    """A copy of NetHack's library for one game (its state is global to the library): the open file, the path, whether
    its clock is stopped.
    """
    image = clock.stopped(_LIBRARY)
    if sys.platform == "linux":
        file: IO[bytes] = os.fdopen(os.memfd_create("nethack"), "wb")
        path = f"/proc/self/fd/{file.fileno()}"
    else:
        file = (directory / "libnethack.so").open("wb")
        path = file.name
    if image is None:
        with _LIBRARY.open("rb") as source:
            shutil.copyfileobj(source, file)
    else:
        file.write(image)
    file.flush()
    return file, path, image is not None


def _close(game: Any, library: IO[bytes], directory: tempfile.TemporaryDirectory[str]) -> None:
    game.close()
    library.close()
    directory.cleanup()
