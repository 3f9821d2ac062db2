"""Films of episodes: the picture of every step, above it the goal, below it what the agent did and how far it got. In
worlds with a time of their own, the frames between two decisions too, if they are asked for.
"""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from embodied.arrays import Pixels
from embodied.blobs import decode_png, pictures_of
from embodied.envs import has_picture
from embodied.envs.base import Frame
from embodied.errors import MissingExtra, StoreError
from embodied.rollout.worlds.environment import LocalEnvironment
from embodied.store.disk import named, whole
from embodied.store.events import cut_at
from embodied.store.run import Run
from embodied.terminal import line as one_line
from embodied.types import Episode, Observation, Step
from embodied.variables import resolved_task

MIN_WIDTH, MAX_WIDTH = 480, 1280
"""Pixels. Small pictures are enlarged by a whole factor so that the caption is readable."""
CAPTION = 44
TITLE = 26
"""Pixels of a line of the goal."""
MOST_TITLE = 2
"""Lines of the goal; a longer one is cut."""
MOST_GOAL = 400
"""Characters of the goal that are looked at."""
LAST = 2.0
"""Seconds that a GIF shows how the episode ended, before it begins again."""
TEXT_SIZE = (720, 480)
RATE = 30
"""Pictures a second of an MP4 with frames, which last longer or shorter."""
LONGEST = 60
"""Seconds that a frame of a film may last."""


@dataclass(frozen=True)
class _Shot:
    """A picture of a film."""

    moment: int
    """The number of the decision that it shows, or that it comes after."""
    picture: Pixels
    """(H, W, 3) uint8."""
    seconds: float | None = None
    """How long a frame lasts; None for the picture at a decision."""


def write_film(run: Run, id_: str, path: Path, fps: int, most: int | None = None, *, frames: bool = False) -> Path:
    """Writes an episode as GIF or MP4, by the file's ending. If it has more than `most` moments,
    the film shows that many, spread evenly, the first and the last among them.

    Pictures come from the record if the agent saw any; else the episode is played again from its seed and actions, and
    its observations are checked against the record; a game without pictures is shown as text.

    Args:
        run: The run.
        id_: The episode.
        path: The file.
        fps: Decisions a second.
        most: See above; not together with `frames`.
        frames: Show the frames between two decisions too, each as long as it lasts. For them the episode is always
            played again.

    Raises:
        StoreError: The episode has not ended, re-playing it gave another observation, or the file cannot be written.
        MissingExtra: MP4 is asked for and the extra `films` is not installed. GIF needs no extra.
    """
    if path.suffix == ".mp4":
        _require_encoder()
    episode = run.episode(id_)
    if episode is None:
        raise StoreError(f"The episode {id_} has not ended; there is nothing to export yet.")
    if episode.last is None:
        raise StoreError(f"The episode {id_} has no recorded steps; there is nothing to show.")
    steps = list(run.steps(id_))
    shots: Iterator[_Shot]
    if frames:
        shots = _with_frames(run, episode, steps, episode.last)
    elif episode.last.image:
        shots = _apart(_recorded(run, id_, [*(s.observation for s in steps), episode.last]))
    elif has_picture(episode.spec.task.env):
        shots = _replayed(run, episode, steps, episode.last)
    else:
        shots = _apart(_page(observation) for observation in [*(s.observation for s in steps), episode.last])
    goal = one_line(episode.mission.goal[:MOST_GOAL]) if episode.mission is not None else ""
    shown = _spread(len(steps) + 1, most)
    captions = list(_captions(steps, episode))
    made = ((_composed(s.picture, captions[s.moment], goal), s.seconds or 1 / fps) for s in shots if s.moment in shown)
    with named(path), whole(path, path.suffix) as target:
        if path.suffix == ".gif":
            _write_gif(target, made, max(1 / fps, LAST), small=frames)
        else:
            target.write_bytes(_video(_held(made), RATE) if frames else _video([picture for picture, _ in made], fps))
    return path


def _write_gif(target: Path, made: Iterable[tuple[Pixels, float]], last: float, small: bool) -> None:
    """Writes pictures, each with its seconds.

    Args:
        last: Seconds of the last picture.
        small: Keep pictures in 256 colours: they need a quarter of the memory.
    """
    images, duration = [], []
    for picture, seconds in made:
        image = Image.fromarray(picture)
        images.append(image.convert("P", palette=Image.Palette.ADAPTIVE) if small else image)
        duration.append(1000 * seconds)
    duration[-1] = 1000 * last
    images[0].save(
        target, "GIF", save_all=True, append_images=images[1:], duration=duration, loop=0, optimize=not small
    )


def _require_encoder() -> None:
    """Raises `MissingExtra` without ffmpeg. Looking for imageio is not enough: Crafter brings it, without ffmpeg."""
    if not (find_spec("imageio") and find_spec("imageio_ffmpeg")):
        raise MissingExtra("The format mp4", "films")


def _video(frames: list[Pixels], fps: int) -> bytes:
    """The frames as MP4. The encoder is another process and does not say when its disk is full. So it writes elsewhere,
    and the result is checked.
    """
    import imageio.v3 as imageio

    with tempfile.TemporaryDirectory(prefix="embodied-film-") as folder:
        path = Path(folder, "film.mp4")
        try:
            imageio.imwrite(path, frames, fps=fps, codec="libx264", macro_block_size=2)
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"The video encoder failed in {folder}: {str(error).splitlines()[0]}. Is there space? TMPDIR names"
                " another place."
            ) from error
    if b"moov" not in data:  # the table of contents, which comes last
        raise StoreError(
            f"The video encoder wrote half a film in {folder}. Is there space? TMPDIR names another place."
        )
    return data


def _recorded(run: Run, id_: str, observations: list[Observation]) -> Iterator[Pixels]:
    for observation in observations:
        frames = [decode_png(run.blobs.get(image.digest), image.digest, image) for image in pictures_of(observation)]
        if not frames:
            raise StoreError(f"A step of {id_} has no picture, although the episode ends with one.")
        height = max(frame.shape[0] for frame in frames)
        yield np.hstack([np.pad(frame, ((0, height - frame.shape[0]), (0, 0), (0, 0))) for frame in frames])


def _apart(pictures: Iterable[Pixels]) -> Iterator[_Shot]:
    """A picture for each decision."""
    return (_Shot(moment, picture) for moment, picture in enumerate(pictures))


def _held(made: Iterable[tuple[Pixels, float]]) -> list[Pixels]:
    """Each picture as often as it lasts, at `RATE` pictures a second."""
    held, now = [], 0.0
    for picture, seconds in made:
        held += [picture] * (round((now + seconds) * RATE) - round(now * RATE))
        now += seconds
    return held


def _with_frames(run: Run, episode: Episode, steps: list[Step], last: Observation) -> Iterator[_Shot]:
    """As `_replayed`, with the frames of each step behind the picture of its decision.

    Raises:
        StoreError: There are none.
    """
    seen: list[_Shot] = []
    shown = None
    any_frames = False

    def watch(frame: Frame) -> None:
        if not 0 < frame.seconds < LONGEST:
            raise ValueError(f"a frame lasts {frame.seconds!r} seconds; a film needs a number from 0 to {LONGEST}")
        seen.append(_Shot(0, frame.draw(), frame.seconds))

    for shot in _replayed(run, episode, steps, last, watch):
        shown = shot.picture.shape if shown is None else shown
        for frame in seen:
            any_frames = True
            yield _Shot(shot.moment - 1, _fitted(frame.picture, shown), frame.seconds)
        seen.clear()
        yield shot
    if not any_frames:
        raise StoreError(f"{episode.spec.id} has no frames between its decisions: export it without --frames.")


def _fitted(picture: Pixels, shape: tuple[int, ...]) -> Pixels:
    """The picture in another shape, whole, in the middle of what it does not fill."""
    if picture.shape == shape:
        return picture
    image = Image.fromarray(picture)
    factor = min(shape[0] / image.height, shape[1] / image.width)
    image = image.resize((max(1, int(image.width * factor)), max(1, int(image.height * factor))))
    canvas = Image.new("RGB", (shape[1], shape[0]))
    canvas.paste(image, ((shape[1] - image.width) // 2, (shape[0] - image.height) // 2))
    return np.asarray(canvas)


def _replayed(
    run: Run, episode: Episode, steps: list[Step], last: Observation, watch: Callable[[Frame], None] | None = None
) -> Iterator[_Shot]:
    """Plays the episode again and draws it; observations must be the recorded ones."""
    drawn = has_picture(episode.spec.task.env)
    env = LocalEnvironment(resolved_task(episode.spec.task), run.blobs, render=drawn)
    try:
        start = env.reset(episode.spec.seed)
        observation, hash_ = start.observation, start.hash
        for index, step in enumerate([*steps, None]):
            expected = episode.first_hash if index == 0 else steps[index - 1].next_hash
            recorded = last if step is None else step.observation
            # An imported episode has no hashes, and nothing of its first observation.
            if hash_ != expected if expected else index > 0 and observation.text != recorded.text:
                raise StoreError(
                    f"Playing {episode.spec.id} again gave another observation at step {index} than the record: was a"
                    " simulator updated?"
                )
            frame = env.frame() if drawn else None
            yield _Shot(index, _page(observation) if frame is None else frame)
            if step is not None:
                answer = env.step(step.executed, watch=watch, interrupt_at=cut_at(step))
                observation, hash_ = answer.observation, answer.hash
    finally:
        env.close()


def _captions(steps: list[Step], episode: Episode) -> Iterator[tuple[str, str]]:
    score = "progress 0.000"
    for step in steps:
        mark = "" if step.valid and step.decision.parsed else f"  (not understood: {step.decision.action[:40]!r})"
        yield f"step {step.index}: {step.executed}{mark}", score
        score = "no score" if step.progress is None else f"progress {step.progress:.3f}"
    yield f"{episode.outcome} {episode.end_reason}".strip(), score


def _spread(moments: int, most: int | None) -> set[int]:
    """Which moments a film shows."""
    count = moments if most is None else min(moments, max(most, 2))
    return {round(n) for n in np.linspace(0, moments - 1, count)}


def _composed(picture: Pixels, caption: tuple[str, str], goal: str) -> Pixels:
    """The picture, enlarged or shrunk to a readable width, with the goal above and the caption below; both sides even,
    as video codecs want.
    """
    image = Image.fromarray(picture)
    if image.width < MIN_WIDTH:
        factor = -(-MIN_WIDTH // image.width)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    elif image.width > MAX_WIDTH:
        image = image.resize((MAX_WIDTH, round(image.height * MAX_WIDTH / image.width)), Image.Resampling.LANCZOS)
    font, larger = ImageFont.load_default(16), ImageFont.load_default(20)
    lines = _lines(goal, larger, image.width - 16)
    above = TITLE * len(lines) + 8 * bool(lines)
    below = above + image.height
    canvas = Image.new("RGB", (image.width // 2 * 2, (below + CAPTION) // 2 * 2), (16, 16, 20))
    canvas.paste(image, (0, above))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((8, 4 + TITLE * number), line, fill=(240, 215, 140), font=larger)
    draw.text((8, below + 2), caption[0], fill=(235, 235, 235), font=font)
    draw.text((8, below + 22), caption[1], fill=(150, 190, 150), font=font)
    return np.asarray(canvas)


def _lines(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Text in lines of at most `width` pixels, at most `MOST_TITLE` of them."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or font.getlength(longer) <= width:
            lines[-1] = longer
        elif len(lines) == MOST_TITLE:
            lines[-1] += " …"
            break
        else:
            lines.append(word)
    return [line for line in lines if line]


def _page(observation: Observation) -> Pixels:
    """A text observation as a page: its end, where the news is."""
    image = Image.new("RGB", TEXT_SIZE, (24, 24, 28))
    lines = [part for line in observation.text.splitlines() for part in textwrap.wrap(line, 84) or [""]]
    ImageDraw.Draw(image).multiline_text(
        (10, 10), "\n".join(lines[-22:]), fill=(225, 225, 225), font=ImageFont.load_default(16), spacing=4
    )
    return np.asarray(image)
