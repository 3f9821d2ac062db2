"""Writes the embedded driving scenes: specifications and their facts. Run it when templates, objects or the annotator
change, and look at the contact sheet.

python scripts/make_driving_scenes.py [--sheet docs/images/driving/scenes.jpg]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
from PIL import Image, ImageDraw, ImageFont

from embodied.driving.facts import SceneFacts
from embodied.driving.scene import sets
from embodied.driving.scene.annotate import facts_of
from embodied.driving.scene.spec import SceneSpec, encode

DATA = Path(__file__).parents[1] / "embodied/driving/scene/data"
WIDTH, HEIGHT, CAPTION, COLUMNS = 400, 225, 32, 6


def sheet(specs: tuple[SceneSpec, ...], facts: tuple[SceneFacts, ...]) -> Image.Image:
    """All scenes with boxes, red around what makes a corner case."""
    rows = -(-len(specs) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * WIDTH, rows * (HEIGHT + CAPTION)), (20, 20, 24))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for k, (spec, known) in enumerate(zip(specs, facts, strict=True)):
        left, top = k % COLUMNS * WIDTH, k // COLUMNS * (HEIGHT + CAPTION)
        canvas.paste(Image.fromarray(sets.picture(spec)).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), (left, top))
        for o in sorted(known.objects, key=lambda o: o.corner_case):
            x, y, w, h = (v * WIDTH / known.width for v in o.box)
            draw.rectangle(
                (left + x, top + y, left + x + w, top + y + h),
                outline=(255, 40, 30) if o.corner_case else (90, 220, 120),
            )
        caption = f"{spec.name}\n{spec.weather}, {spec.time}: {', '.join(known.required)}"
        draw.multiline_text((left + 4, top + HEIGHT + 1), caption, fill=(230, 230, 230), font=font, spacing=1)
    return canvas


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--sheet", type=Path)
    options = given.parse_args()
    specs = sets.build()
    facts = tuple(map(facts_of, specs))
    DATA.mkdir(exist_ok=True)
    (DATA / "specs.json").write_bytes(encode(specs))
    (DATA / "facts.json").write_bytes(b"[\n" + b",\n".join(map(msgspec.json.encode, facts)) + b"\n]\n")
    print(f"{len(specs)} scenes in {DATA}")
    if options.sheet:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        sheet(specs, facts).save(options.sheet, quality=82)
        print(options.sheet)


if __name__ == "__main__":
    main()
