"""Checks a run folder once on load, for every reader: a folder may come from a stranger.

Names become paths, addresses and lines on a terminal; files may be links, pipes or endless; JSON may be deep or huge.
Here each of these is refused in one sentence. What a folder would make this machine do is another question: see
`embodied.store.ours`.
"""

from __future__ import annotations

import errno
import math
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from embodied.errors import StoreError

MIB = 2**20
LONGEST_RUN = 256 * MIB
"""Bytes of `run.json`: a plan of some 500,000 episodes."""
LONGEST_RESULT = 64 * MIB
"""Bytes of `episode.json`."""
LONGEST_LINE = 64 * MIB
"""Bytes of a line of `steps.jsonl` or `messages.jsonl`."""
LONGEST_MESSAGES = 2048 * MIB
"""Bytes of `messages.jsonl`, which is held in memory while an episode is read."""
LONGEST_PICTURE = 64 * MIB
"""Bytes of a file in `blobs/`."""
DEEPEST = 64
"""Objects and lists within each other."""
LONGEST_ID = 180
"""Bytes of an episode's id: a file name has 255, and endings are added."""
LONGEST_WORDS = 10_000
"""Characters of what a branch begins with."""
LONGEST_NAME = 500
"""Characters of the name of an environment, a task, a suite or a version."""
MOST_COUNTED = 2**53
"""Of tokens and steps: whole numbers up to here are exact in every program that reads them."""


# --------------------------------------------------------------------------- files


def open_plain(path: Path) -> BinaryIO | None:
    """Opens a regular file for reading; None if there is none. A link, pipe, device or folder in its place is never
    opened.

    Raises:
        StoreError: There is something else of that name, or it cannot be read.
    """
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(
                f"{path} is {_kind(found.st_mode)}, not a plain file. A run folder holds plain files only: remove it,"
                " or take another copy."
            )
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        link = getattr(error, "errno", None) == errno.ELOOP
        raise StoreError(
            f"Cannot read {path}: {'it is a symbolic link' if link else getattr(error, 'strerror', None) or error}."
        ) from error
    return os.fdopen(descriptor, "rb")


def read_plain(path: Path, most: int) -> bytes | None:
    """The bytes of a regular file; None where there is none. Raises `StoreError` when it is something else, or has more
    than `most` bytes.
    """
    file = open_plain(path)
    if file is None:
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(most + 1) if size <= most else b""
    if size > most or len(data) > most:
        raise StoreError(
            f"{path} has {max(size, len(data)):,} bytes; a file of its kind has at most {most:,}. It is damaged, or not"
            " of a run."
        )
    return data


def plain_size(path: Path) -> int:
    """Bytes of a regular file; 0 where there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def read_lines(file: BinaryIO, where: str) -> Iterator[bytes]:
    """The lines of a file, each with its newline; the last may have none. Raises `StoreError` at a line that is too
    long.
    """
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise StoreError(
                f"{where} is damaged: it has a line of more than {LONGEST_LINE // MIB} MiB. Restore it from a copy."
            )
        yield line


def whole_lines(file: BinaryIO, where: str) -> Iterator[bytes]:
    """As `read_lines`, without a last line that has no newline: a kill tore it, or it is being written."""
    for line in read_lines(file, where):
        if not line.endswith(b"\n"):
            return
        yield line


def check_tree(root: Path) -> None:
    """Raises `StoreError` where `episodes/`, `blobs/` or a folder in them is a link or not a folder: so that reads and
    writes stay in `root`.
    """
    for name in ("episodes", "blobs"):
        top = root / name
        try:
            mode = os.lstat(top).st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"Cannot read {top}: {error.strerror or error}.") from error
        if not stat.S_ISDIR(mode):
            raise StoreError(f"{top} is {_kind(mode)}, not a folder. In a run folder it must be a folder of its own.")
        with _scanned(top) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise StoreError(
                        f"{Path(entry.path)} is a symbolic link. A run folder holds no links: put the folder itself"
                        " there."
                    )


def check_place(path: Path, root: Path) -> None:
    """Looks at a place inside a run folder before it is written to: it, the folders above it and everything in it must
    not be links.

    Args:
        path: A file or folder to be written, which may be missing.
        root: The run folder. A place outside it is the user's own and is not looked at.

    Raises:
        StoreError: There is a link, a pipe or a device.
    """
    path, root = Path(os.path.abspath(path)), Path(os.path.abspath(root))
    if not path.is_relative_to(root):
        return
    leading = [parent for parent in path.parents if parent.is_relative_to(root) and parent != root]
    waiting = [*leading, path]
    while waiting:
        place = waiting.pop()
        try:
            mode = os.lstat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise StoreError(
                f"{place} is {_kind(mode)}, and nothing is written through it. Remove it, or name another place with"
                " --out."
            )
        if stat.S_ISDIR(mode) and place not in leading:
            with _scanned(place) as entries:
                waiting += [Path(entry.path) for entry in entries]


def _scanned(folder: Path) -> Any:
    try:
        return os.scandir(folder)
    except OSError as error:
        raise StoreError(f"Cannot read {folder}: {error.strerror or error}.") from error


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFDIR: "a folder",
        stat.S_IFREG: "a file",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


# --------------------------------------------------------------------------- names and values


def is_id(name: str) -> bool:
    """Whether `name` can be an episode's id: letters, digits, `-`, `_` and `.`, not hidden, not too long for a file
    name.
    """
    plain = all(c.isalnum() or c in "-_." for c in name)
    return bool(name) and plain and name[0] not in ".-" and len(name.encode("utf-8", "replace")) <= LONGEST_ID


def is_digest(name: str) -> bool:
    """Whether `name` is a SHA-256 as 64 small hexadecimal digits."""
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def is_line(text: str, most: int = LONGEST_NAME) -> bool:
    """Whether `text` has at most `most` characters, and none that moves the cursor, ends the line or turns the
    direction of what follows.
    """
    return len(text) <= most and not any(unicodedata.category(c) in ("Cc", "Cs") or c in _TURNING for c in text)


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_task(text: str) -> bool:
    """Whether `text` can be a task's name: one line that does not lead out of a folder where its slashes are taken for
    folders.
    """
    return is_line(text) and "\\" not in text and not text.startswith("/") and not {".", ".."} & set(text.split("/"))


def check_json(value: Any, where: str) -> None:
    """Raises `StoreError` if plain JSON is nested too deeply to walk through, or holds a whole number of more
    than 64 bits.
    """
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, dict | list):
            if depth >= DEEPEST:
                raise StoreError(f"{where} is damaged: it is nested more than {DEEPEST} levels deep.")
            waiting += [(v, depth + 1) for v in (item.values() if isinstance(item, dict) else item)]
        elif isinstance(item, int) and not -(2**63) <= item < 2**64:
            raise StoreError(f"{where} is damaged: it holds a whole number of more than 64 bits.")


def check_record(record: Any, where: str) -> None:
    """Checks `run.json` (a `RunRecord`): every name that becomes a path or is printed, sizes, duplicates, and the shape
    of its settings.

    Raises:
        StoreError: The first thing that a run of ours never has.
    """
    seen: set[str] = set()
    for spec in record.planned:
        task = spec.task
        if not is_id(spec.id):
            raise StoreError(
                f"{where} plans an episode with the id {_shown(spec.id)}. An id is a plain name of letters, digits,"
                " '-', '_' and '.'."
            )
        folded = unicodedata.normalize("NFC", spec.id).casefold()
        if folded in seen:
            raise StoreError(
                f"{where} plans two episodes with the id {_shown(spec.id)}. Each must have an id of its own."
            )
        seen.add(folded)
        if not (task.env and is_line(task.env) and is_task(task.task)):
            raise StoreError(
                f"{where} plans an episode of {_shown(f'{task.env} {task.task}')}, which is not the name of an"
                " environment and a task."
            )
        check_json(task.kwargs, where)
        check_json([spec.index, spec.seed, spec.agent_seed], where)
        if (spec.parent, spec.from_step) != (msgspec.UNSET, msgspec.UNSET):
            raise StoreError(f"{where} plans the branch {_shown(spec.id)} as an episode that counts.")
    _check_branches(record, seen, where)
    for kind, name in (
        ("identity", record.identity),
        ("suite", record.suite),
        ("time of creation", record.created),
        *record.versions.items(),
    ):
        if not is_line(name) or not is_line(kind):
            raise StoreError(f"{where} has {_shown(name)} as {_shown(kind)}, which is not one short line.")
    check_json(record.config, where)
    _check_config(record.config, where)


def _check_branches(record: Any, seen: set[str], where: str) -> None:
    """Each branch must be the episode that its parent is, from a step on, and stand behind its parent."""
    known = {spec.id: spec for spec in record.planned}
    for branch in record.branched:
        spec = branch.spec
        parent = known.get(spec.parent)
        folded = unicodedata.normalize("NFC", spec.id).casefold()
        if not is_id(spec.id) or folded in seen:
            raise StoreError(f"{where} has a branch with the id {_shown(spec.id)}, which is not a name of its own.")
        if parent is None:
            raise StoreError(f"{where} has the branch {_shown(spec.id)} of an episode that it does not have.")
        same = all(getattr(spec, name) == getattr(parent, name) for name in ("task", "seed", "index", "agent_seed"))
        if not same or not isinstance(spec.from_step, int) or not 0 <= spec.from_step <= MOST_COUNTED:
            raise StoreError(
                f"{where} has the branch {_shown(spec.id)}, which does not go on from a step of its parent."
            )
        if not is_line(branch.by) or len(branch.say) > LONGEST_WORDS or branch.lasts < 1:
            raise StoreError(f"{where} is damaged: what it says of the branch {_shown(spec.id)} is out of range.")
        seen.add(folded)
        known[spec.id] = spec


_OBJECTS = ("agent", "model", "run", "imported")
_IMPORTED = ("agent", "client", "metadata", "summary")
_PUBLISHED = ("progression_percentage", "standard_error", "episodes_played")


def _check_config(config: dict[str, Any], where: str) -> None:
    """What tables and boards take for granted of the settings."""
    parts = [(key, config.get(key)) for key in _OBJECTS]
    imported = config.get("imported")
    if isinstance(imported, dict):
        parts += [(f"imported.{key}", imported.get(key)) for key in _IMPORTED]
        environments = (
            (imported.get("summary") or {}).get("environments") if isinstance(imported.get("summary"), dict) else None
        )
        parts.append(("imported.summary.environments", environments))
        if isinstance(environments, dict):
            parts += [(f"imported.summary.environments.{_shown(name)}", env) for name, env in environments.items()]
    for key, value in parts:
        if value is not None and not isinstance(value, dict):
            raise StoreError(
                f"{where} is damaged: {key} in its configuration is {_shown(value)}, where an object belongs."
            )
    if isinstance(imported, dict):
        _check_published((imported.get("summary") or {}).get("environments") or {}, where)
        name = imported.get("name")
        if name is not None and not (isinstance(name, str) and is_line(name)):
            raise StoreError(f"{where} is damaged: the name {_shown(name)} of the imported run is not one short line.")
    for key, value in (
        ("model.name", (config.get("model") or {}).get("name")),
        ("model.provider", (config.get("model") or {}).get("provider")),
    ):
        if isinstance(value, str) and not is_line(value):
            raise StoreError(f"{where} is damaged: {key} {_shown(value)} is not one short line.")


def _check_published(environments: dict[str, Any], where: str) -> None:
    for name, env in environments.items():
        if not is_line(name) or not is_task(name):
            raise StoreError(f"{where} is damaged: {_shown(name)} is not the name of an environment.")
        for key in _PUBLISHED:
            value, most = env.get(key), MOST_COUNTED if key == "episodes_played" else 100
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most
            ):
                raise StoreError(
                    f"{where} is damaged: {key} of {_shown(name)} in the published summary is {_shown(value)}."
                )


def check_result(episode: Any, spec: Any, where: str) -> None:
    """Checks `episode.json` (an `Episode`): it must be of the planned episode in whose folder it lies, with values in
    their ranges.

    Raises:
        StoreError: It is of another episode, or a value is out of its range.
    """
    if spec is not None and episode.spec != spec:
        raise StoreError(
            f"{where} is damaged: it is of another episode ({_shown(episode.spec.id)}) than the plan has here. Delete"
            " it to run the episode again."
        )
    usage = episode.usage
    ranges: dict[str, tuple[float | None, float, float]] = {
        "progress": (episode.progress, 0.0, 1.0),
        "steps": (episode.steps, 0, MOST_COUNTED),
        "invalid_actions": (episode.invalid_actions, 0, MOST_COUNTED),
        "seconds": (episode.seconds, -MOST_COUNTED, MOST_COUNTED),
        **{
            f"usage.{k}": (getattr(usage, k), -MOST_COUNTED, MOST_COUNTED)
            for k in ("input", "output", "reasoning", "cached", "repeated")
        },
        **{f"counts.{k}": (v, -MOST_COUNTED, MOST_COUNTED) for k, v in episode.counts.items()},
    }
    for name, (value, low, high) in ranges.items():
        if value is not None and not math.isnan(value) and not low <= value <= high:
            raise StoreError(
                f"{where} is damaged: {_shown(name)} is {value}, which is not between {low:g} and {high:g}. Delete it"
                " to run the episode again."
            )
    check_json(episode.info, where)


def _shown(value: Any) -> str:
    """A value in a message: shortened, control characters escaped."""
    text = ascii(value) if isinstance(value, str) and not is_line(value, 10**6) else repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
