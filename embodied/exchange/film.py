"""Films of episodes: the picture of every step above a caption that says what the agent did and how far it got."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from embodied.blobs import decode_png, pictures_of
from embodied.envs import has_picture
from embodied.errors import MissingExtra, StoreError
from embodied.rollout.worlds.environment import LocalEnvironment
from embodied.store.disk import named, whole
from embodied.store.run import Run
from embodied.types import Episode, Observation, Step
from embodied.variables import resolved_task

MIN_WIDTH, MAX_WIDTH = 480, 1280
"""Pixels. Small pictures are enlarged by a whole factor so that the caption is readable."""
CAPTION = 44
TEXT_SIZE = (720, 480)


def write_film(run: Run, id_: str, path: Path, fps: int) -> Path:
    """Writes an episode as GIF or MP4, by the file's ending.

    Pictures come from the record if the agent saw any; else the episode is played again from its seed and actions, and
    its observations are checked against the record; a game without pictures is shown as text.

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
    if episode.last.image:
        pictures = _recorded(run, id_, [*(s.observation for s in steps), episode.last])
    elif has_picture(episode.spec.task.env):
        pictures = _replayed(run, episode, steps, episode.last)
    else:
        pictures = (_page(observation) for observation in [*(s.observation for s in steps), episode.last])
    frames = [_composed(picture, caption) for picture, caption in zip(pictures, _captions(steps, episode), strict=True)]
    with named(path), whole(path, path.suffix) as target:
        if path.suffix == ".gif":
            first, *rest = (Image.fromarray(frame) for frame in frames)
            first.save(target, "GIF", save_all=True, append_images=rest, duration=1000 / fps, loop=0)
        else:
            target.write_bytes(_video(frames, fps))
    return path


def _require_encoder() -> None:
    """Raises `MissingExtra` without ffmpeg. Looking for imageio is not enough: Crafter brings it, without ffmpeg."""
    if not (find_spec("imageio") and find_spec("imageio_ffmpeg")):
        raise MissingExtra("The format mp4", "films")


def _video(frames: list[np.ndarray], fps: int) -> bytes:
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


def _recorded(run: Run, id_: str, observations: list[Observation]) -> Iterator[np.ndarray]:
    for observation in observations:
        frames = [decode_png(run.blobs.get(image.digest), image.digest, image) for image in pictures_of(observation)]
        if not frames:
            raise StoreError(f"A step of {id_} has no picture, although the episode ends with one.")
        height = max(frame.shape[0] for frame in frames)
        yield np.hstack([np.pad(frame, ((0, height - frame.shape[0]), (0, 0), (0, 0))) for frame in frames])


def _replayed(run: Run, episode: Episode, steps: list[Step], last: Observation) -> Iterator[np.ndarray]:
    """Plays the episode again and draws it; observations must be the recorded ones."""
    env = LocalEnvironment(resolved_task(episode.spec.task), run.blobs, render=True)
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
            frame = env.frame()
            yield _page(observation) if frame is None else frame
            if step is not None:
                answer = env.step(step.executed)
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


def _composed(picture: np.ndarray, caption: tuple[str, str]) -> np.ndarray:
    """The picture, enlarged or shrunk to a readable width, with the caption below; both sides even, as video codecs
    want.
    """
    image = Image.fromarray(picture)
    if image.width < MIN_WIDTH:
        factor = -(-MIN_WIDTH // image.width)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    elif image.width > MAX_WIDTH:
        image = image.resize((MAX_WIDTH, round(image.height * MAX_WIDTH / image.width)), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (image.width // 2 * 2, (image.height + CAPTION) // 2 * 2), (16, 16, 20))
    canvas.paste(image, (0, 0))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(16)
    draw.text((8, image.height + 2), caption[0], fill=(235, 235, 235), font=font)
    draw.text((8, image.height + 22), caption[1], fill=(150, 190, 150), font=font)
    return np.asarray(canvas)


def _page(observation: Observation) -> np.ndarray:
    """A text observation as a page: its end, where the news is."""
    image = Image.new("RGB", TEXT_SIZE, (24, 24, 28))
    lines = [part for line in observation.text.splitlines() for part in textwrap.wrap(line, 84) or [""]]
    ImageDraw.Draw(image).multiline_text(
        (10, 10), "\n".join(lines[-22:]), fill=(225, 225, 225), font=ImageFont.load_default(16), spacing=4
    )
    return np.asarray(image)
