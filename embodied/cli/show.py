"""`embodied show ENV`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.arrays import Pixels
    from embodied.types import Json


def show(
    env: str = typer.Argument(
        ..., help="Environment: nethack, patheval, codalm, ... (`embodied list envs`), or gym:ID."
    ),
    task: str | None = typer.Option(None, "--task", help="A task; the environment's first by default."),
    seed: int = typer.Option(0, "--seed", min=0, help="Episode seed."),
    picture: Path | None = typer.Option(None, "--picture", help="Write the picture into this PNG file."),
) -> None:
    """Prints an environment's page, the first observation of an episode and its picture."""
    from PIL import Image

    from embodied import envs
    from embodied.cli.apart import apart
    from embodied.cli.output import require_writable
    from embodied.errors import UsageError
    from embodied.store.disk import named, whole
    from embodied.terminal import plain

    drawn = envs.has_picture(env)
    if picture is not None and not drawn:
        raise UsageError(f"{env} has no picture.")
    if picture is not None:
        require_writable(picture, "--picture", folders=False)
        _check_ending(picture)
    seen = apart("embodied.cli.show:first", env, env=env, task=task, seed=seed, drawn=drawn)
    typer.echo(plain(seen["text"]))
    frame = None if seen["frame"] is None else _pixels(seen["frame"])
    if frame is None:
        return
    if picture is not None:
        with named(picture, "--picture"), whole(picture, picture.suffix) as target:
            Image.fromarray(frame).save(target)
        typer.echo(f"Picture: {picture} ({frame.shape[1]}x{frame.shape[0]})")
    elif sys.stdout.isatty():
        _blocks(frame)
    else:
        typer.echo("Picture: add --picture FILE.png")


def first(env: str, task: str | None, seed: int, drawn: bool) -> Json:
    """An environment's page and first observation in words, and the PNG of its picture in Base64 (None: no picture)."""
    from embodied import envs
    from embodied.catalog import ENTRIES

    made = envs.make(env, task, **({"render_mode": "rgb_array"} if drawn else {}))
    observation, info = made.reset(seed=seed)
    parts = [inspect.cleandoc(type(made).__doc__ or ""), f"\n--- mission\n{made.mission.goal}\n"]
    if env in ENTRIES:
        parts.append(f"--- experts\n{', '.join(ENTRIES[env].experts) or 'It has no expert.'}\n")
    parts += [f"--- {key} (seed {seed})\n{observation[key]}" for key in ("text", "status") if observation.get(key)]
    frame = made.render() if drawn else None
    made.close()
    parts += [f"--- info\n{info}", f"\n--- experts\n{_experts(env)}"]
    return {"text": "\n".join(parts), "frame": None if frame is None else _encoded(frame)}


def _experts(env: str) -> str:
    """Who can be asked for advice, in words."""
    from embodied.catalog import ENTRIES

    names = ENTRIES[env].experts if env in ENTRIES else ()
    if not names:
        return f"{env} has no expert. So it has no `--agent expert` and no `--corrector oracle`."
    others = f" Others: {', '.join(names[1:])} (`agent.expert`, `corrector.expert`)." if names[1:] else ""
    return f"{names[0]} advises `--agent expert` and `--corrector oracle`.{others}"


def _encoded(frame: Pixels) -> str:
    from base64 import b64encode
    from io import BytesIO

    from PIL import Image

    Image.fromarray(frame).save(data := BytesIO(), "PNG")
    return b64encode(data.getvalue()).decode()


def _pixels(encoded: str) -> Pixels:
    from base64 import b64decode
    from io import BytesIO

    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(BytesIO(b64decode(encoded))))


def _check_ending(picture: Path) -> None:
    """Raises `UsageError` where no format of pictures has the file's ending."""
    from PIL import Image

    from embodied.errors import UsageError

    Image.init()
    if Image.EXTENSION.get(picture.suffix.lower()) not in Image.SAVE:
        raise UsageError(f"--picture: {picture} does not end in .png. The ending says how the picture is written.")


def _blocks(frame: Pixels) -> None:
    """Prints a frame with coloured half blocks, as wide as the terminal."""
    import numpy as np
    from PIL import Image
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    from embodied.cli.output import console

    screen = console()
    width = min(screen.width, frame.shape[1])
    height = max(2, round(frame.shape[0] * width / frame.shape[1]) // 2 * 2)
    pixels = np.asarray(Image.fromarray(frame).resize((width, height))).tolist()
    for y in range(0, height, 2):
        row = Text()
        for x in range(width):
            row.append("▀", Style(color=Color.from_rgb(*pixels[y][x]), bgcolor=Color.from_rgb(*pixels[y + 1][x])))
        screen.print(row)
