"""A copy of NetHack's library whose clock stands still.

NetHack asks the wall clock for the phase of the moon and Friday the 13th (luck, a start message), for night (the
undead), for the year on the tombstone, and names shopkeepers after the second the hero was born. None of that may
change a result. The wheels do not solve this completely: nle 1.3 can fix the moon, balrog-nle 0.9.0 can fix nothing.
Every game loads its own copy of the library. This module changes that copy in three places before it is loaded:

- the body of `getnow` becomes a function that answers `NOON`, followed by one that acts as `time`;
- the imported `time` becomes a local symbol that points to the latter;
- the imported `localtime` becomes `gmtime`, so that the machine's time zone has no effect.

Layout facts: System V ABI, ELF-64 (symbol and section tables), and its x86-64 supplement (calling convention).
"""

from __future__ import annotations

import functools
import struct
from pathlib import Path

NOON = 1_590_926_400
"""31 May 2020, 12:00 UTC, a Sunday with a half moon: the one moment at which every game is played."""

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_X86_64 = 62
_DYNSYM = 11
_HIDDEN = 2


@functools.cache
def stopped(library: Path) -> bytes | None:
    """The bytes of `library` with its clock stopped at `NOON`, or None when it is not an x86-64 ELF library with the
    symbols this needs.
    """
    image = bytearray(library.read_bytes())
    if image[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", image, 18)[0] != _X86_64:
        return None
    (table,) = struct.unpack_from("<Q", image, 40)
    (count,) = struct.unpack_from("<H", image, 60)
    sections = [_SECTION.unpack_from(image, table + i * _SECTION.size) for i in range(count)]
    dynsym = next((s for s in sections if s[1] == _DYNSYM), None)
    if dynsym is None:
        return None
    names = sections[dynsym[6]][4]
    symbols: dict[bytes, int] = {}
    for at in range(dynsym[4], dynsym[4] + dynsym[5], _SYMBOL.size):
        start = names + _SYMBOL.unpack_from(image, at)[0]
        symbols[bytes(image[start : image.index(0, start)])] = at
    if not {b"getnow", b"time", b"localtime"} <= symbols.keys():
        return None

    load = b"\xb8" + struct.pack("<I", NOON)  # mov eax, NOON (clears the upper half of rax)
    now = load + b"\xc3"  # ret
    time = load + b"\x48\x85\xff\x74\x03\x48\x89\x07\xc3"  # test rdi, rdi; je over the store; mov [rdi], rax; ret
    _, _, _, section, address, size = _SYMBOL.unpack_from(image, symbols[b"getnow"])
    if section == 0 or size < len(now) + len(time):
        return None
    body = address - sections[section][3] + sections[section][4]
    image[body : body + len(now) + len(time)] = now + time

    name, info, _, _, _, _ = _SYMBOL.unpack_from(image, symbols[b"time"])
    _SYMBOL.pack_into(image, symbols[b"time"], name, info, _HIDDEN, section, address + len(now), len(time))
    start = names + _SYMBOL.unpack_from(image, symbols[b"localtime"])[0]
    image[start : start + 10] = b"gmtime\0\0\0\0"
    return bytes(image)
