"""MP4 needs the extra `films`; GIF does not."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image


def test_without_ffmpeg_gif_is_written_and_mp4_names_the_extra(call, monkeypatch):
    code, _, err = call(
        "eval", "--env", "patheval", "--task", "decide", "--agent", "random", "--out", "run", "--episodes", 1
    )
    assert code == 0, err
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # what the import system does for what is not there
    code, out, err = call("export", "run", "--format", "gif")
    assert code == 0 and Image.open(out.split()[0]).n_frames > 1, err
    code, out, err = call("export", "run", "--format", "mp4")
    assert code == 3 and err.strip().endswith("pip install 'embodied-suite[films]'")
    assert not list(Path("run/exports").glob("*.mp4"))
