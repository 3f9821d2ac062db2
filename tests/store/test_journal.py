"""Journals: a line that a kill tore harms no other."""

from __future__ import annotations

from embodied.store.journal import append_to_journal, read_journal


def test_what_a_kill_tore_is_told_apart_and_the_next_line_is_whole(tmp_path):
    path = tmp_path / "votes.jsonl"
    assert read_journal(path) == ([], b"")
    append_to_journal(path, {"n": 1})
    assert read_journal(path) == ([b'{"n":1}'], b"")
    with path.open("ab") as file:
        file.write(b'{"n":')
    assert read_journal(path) == ([b'{"n":1}'], b'{"n":')
    append_to_journal(path, {"n": 2})
    assert read_journal(path) == ([b'{"n":1}', b'{"n":', b'{"n":2}'], b"")
