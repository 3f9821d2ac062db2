"""An episode as one file to share: the viewer's page with the record inside, pictures as data URLs. The file makes no
requests: its policy allows only the scripts whose hashes it names, its own style, and its own pictures.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path

import msgspec

from embodied.console.viewer.library import Library, shown
from embodied.errors import StoreError
from embodied.store.codec import encode
from embodied.store.disk import named, write_whole
from embodied.store.events import call_objects

_BLOCK = 200
"""Steps read at once."""


def write_page(library: Library, key: str, path: Path) -> Path:
    """Writes the episode `key` as one HTML file. A missing picture or damaged line is shown as such in the page.

    Raises:
        StoreError: There is no such episode, or the file cannot be written.
    """
    document = _document(_data(library, key))
    with named(path):
        write_whole(path, document, durable=False)
    return path


def _data(library: Library, key: str) -> bytes:
    """What the page's `EmbeddedSource` answers from, as JSON."""
    episode = {**library.episode(key), "attempts": []}
    plan = library.runs()
    number = next(n for n, e in enumerate(plan["episodes"]) if e["key"] == key)
    own = {"runs": [plan["runs"][episode["run"]]], "episodes": [{**plan["episodes"][number], "run": 0}]}
    steps: list[bytes] = []
    messages: dict[str, bytes] = {}
    digests: dict[str, None] = {}
    for start in range(0, episode["rows"], _BLOCK):
        block = msgspec.json.decode(library.steps(key, start, start + _BLOCK))
        steps += [encode(step) for step in block]
        wanted = {id_ for step in block for call in call_objects(step) for id_ in call.get("messages", ())}
        found = msgspec.json.decode(library.messages(key, sorted(wanted - messages.keys())))
        messages |= {id_: encode(line) for id_, line in found.items()}
        digests |= dict.fromkeys(image["digest"] for step in block for image in shown(step["observation"]))
        digests |= dict.fromkeys(
            part["digest"]
            for line in found.values()
            for part in line["message"]["parts"]
            if part.get("type") == "image"
        )
    last = (episode["result"] or {}).get("last") or {}
    digests |= dict.fromkeys(image["digest"] for image in shown(last))
    fields = {
        "runs": encode(own),
        "results": encode(library.results(number, number + 1)),
        "episode": encode({**episode, "run": 0}),
        "rows": encode(library.rows(key, 0, episode["rows"])),
        "steps": b"[" + b",\n".join(steps) + b"]",
        "messages": b"{" + b",\n".join(encode(id_) + b":" + line for id_, line in messages.items()) + b"}",
        "images": encode({digest: url for digest in digests if (url := _picture(library, key, digest))}),
    }
    return b"{" + b",\n".join(encode(name) + b":" + body for name, body in fields.items()) + b"}"


def _picture(library: Library, key: str, digest: str) -> str:
    """The picture as a data URL; empty where it is missing or damaged."""
    try:
        return _data_url("image/png", library.image(key, digest))
    except StoreError:
        return ""


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _document(data: bytes) -> bytes:
    """The page with its style, scripts and data inside."""
    folder = files("embodied.console.viewer") / "static"
    page = (folder / "index.html").read_text()
    hashes: dict[str, list[str]] = {"script": [], "style": []}

    def inlined(match: re.Match[str]) -> str:
        name = match["name"]
        text = (folder / name).read_text()
        if name.endswith(".svg"):
            return f'<link rel="icon" href="{_data_url("image/svg+xml", text.encode())}">'
        kind = "style" if name.endswith(".css") else "script"
        hashes[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
        return f"<{kind}>{text}</{kind}>"

    page = re.sub(r'<link rel="\w+" href="static/(?P<name>[\w.]+)">', inlined, page)
    page = re.sub(r'<script src="static/(?P<name>[\w.]+)"></script>', inlined, page)
    scripts, styles = " ".join(hashes["script"]), " ".join(hashes["style"])
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; base-uri 'none'; form-action"
        " 'none'"
    )
    page = page.replace(
        '<meta charset="utf-8">',
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">',
        1,
    )
    before, script, after = page.partition("<script>")
    # In a data block only "<" could end the block or begin a comment.
    block = b'<script type="application/json" id="data">' + data.replace(b"<", b"\\u003c") + b"</script>\n"
    return before.encode() + block + (script + after).encode()
