"""Text that is nothing but size: a million characters of what patterns stumble over."""

UNITS = {
    "newlines": "\n",
    "spaces": " ",
    "digits": "1",
    "brackets": "[",
    "commas": ",",
    "backticks": "`",
    "hyphens": "-",
    "thoughts": "<think>",
    "letters": "a",
    "full-width": "１",
    "numbers": "1,",
    "pairs": "Path 1 Path 2 5 ",
}
MEGABYTES = {name: (unit * (1_000_000 // len(unit) + 1))[:1_000_000] for name, unit in UNITS.items()}
