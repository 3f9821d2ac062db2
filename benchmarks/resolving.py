"""Which action the words of a correction name: how often that is found, and how often it is wrong.

    nice -n 10 python benchmarks/resolving.py [--out benchmarks/resolving.json]

`resolving_sentences.tsv` holds corrections that one person wrote for six environments: other words for an action, and
words that must not move an agent: remarks, denials, choices, other languages, injected instructions. The part
`choosing` chose the rules of `embodied.agents.resolving` and the bars of `embodied.agents.nearest`. The part `held out`
was measured after that. It showed two mistakes of the grammar, which were repaired. So the part `fresh` was written and
measured then. One rule was changed for it: where any line is a command, it must have the form of a pattern. The
sentence model needs the extra `sentences`; without it, its rows are left out.

| column | meaning |
|---|---|
| right | the action that was meant |
| wrong | another action, or an action where none was meant: worse than a question |
| asked | no action: the speaker is asked |
| precision | right of (right + wrong), in percent, with a 95 % interval (Wilson) |
| coverage | right of the lines that mean an action, in percent |
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from embodied.agents.nearest import BARS, METHODS, Bar, Nearest
from embodied.agents.resolving import Resolution, resolve
from embodied.agents.sentences import embedder
from embodied.agents.vocabulary import Commands, Vocabulary, accepted
from embodied.envs import make
from embodied.errors import MissingExtra
from embodied.eval.statistics import wilson

SENTENCES = Path(__file__).with_name("resolving_sentences.tsv")
TASKS = {"minihack": "MiniHack-Quest-Medium-v0", "textworld": "the_cooking_game"}
ALWAYS = Bar(-1.0, -1.0)
"""A guess is always made."""


def sentences() -> list[dict[str, str]]:
    """The lines."""
    with SENTENCES.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def vocabulary(name: str) -> Vocabulary | Commands:
    """What an environment accepts."""
    env = make(name, TASKS.get(name))
    env.reset(seed=0)
    return accepted(env.mission)


def judged(lines: Iterable[dict[str, str]], found: Iterable[Resolution]) -> dict[str, Any]:
    """Counts and shares of one way to resolve."""
    count: Counter[str] = Counter()
    wrong = []
    for line, resolution in zip(lines, found, strict=True):
        meant, action = line["action"], resolution.action
        count["meant"] += bool(meant)
        count["lines"] += 1
        count["asked" if not action else "right" if action == meant else "wrong"] += 1
        if action and action != meant:
            wrong.append(f"{line['vocabulary']}: {line['words']} -> {action}")
    decided = count["right"] + count["wrong"]
    low, high = wilson(count["right"], decided) or (0.0, 1.0)
    return {
        **{key: count[key] for key in ("lines", "meant", "right", "wrong", "asked")},
        "precision": round(100 * count["right"] / decided, 1) if decided else None,
        "precision 95 %": [round(100 * low, 1), round(100 * high, 1)],
        "coverage": round(100 * count["right"] / count["meant"], 1) if count["meant"] else None,
        "wrong ones": wrong,
    }


def guess(words: str, accepts: Vocabulary | Commands, name: str) -> Resolution:
    """What an agent does that always guesses: the nearest phrase, whatever the words."""
    found = resolve(words, accepts)
    return found if found.action or isinstance(accepts, Commands) else Nearest(name, ALWAYS)(words, accepts.actions)


def measure() -> dict[str, Any]:
    lines = sentences()
    accepts = {name: vocabulary(name) for name in dict.fromkeys(line["vocabulary"] for line in lines)}
    pairs = [(line["words"], accepts[line["vocabulary"]]) for line in lines]
    ways = {"grammar": [resolve(words, a) for words, a in pairs]}
    milliseconds = {}
    for name in BARS:
        try:
            embedder(name)
        except MissingExtra as error:
            print(error)
            continue
        ways[f"grammar, then {name}"] = [resolve(words, a, Nearest(name)) for words, a in pairs]
        ways[f"grammar, then {name}, always guessing"] = [guess(words, a, name) for words, a in pairs]
        start = time.process_time()
        embedder(name).embed([words for words, _ in pairs])
        milliseconds[name] = round(1000 * (time.process_time() - start) / len(pairs), 2)
    results: dict[str, Any] = {"bars": {n: [b.least, b.ahead] for n, b in BARS.items()}, "methods": METHODS}
    results["CPU ms a sentence"] = milliseconds
    for part, finite in ((part, finite) for finite in (True, False) for part in ("choosing", "held out", "fresh")):
        title = f"{part}, {'lists of actions' if finite else 'commands'}"
        results[title] = {}
        for way, found in ways.items():
            if not finite and way != "grammar":
                continue
            mine = [
                (line, f)
                for line, f in zip(lines, found, strict=True)
                if line["part"] == part and accepts[line["vocabulary"]].finite == finite
            ]
            row = judged(*zip(*mine, strict=True))
            row["environments"] = {
                name: {k: v for k, v in judged(*zip(*those, strict=True)).items() if k in ("meant", "right", "wrong")}
                for name in accepts
                if (those := [(line, f) for line, f in mine if line["vocabulary"] == name])
            }
            results[title][way] = row
            print(f"{title:26} {way:38} right {row['right']:3}  wrong {row['wrong']:3}  asked {row['asked']:3}", end="")
            print(f"  precision {row['precision']} % {row['precision 95 %']}  coverage {row['coverage']} %")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    arguments.out.write_text(json.dumps(measure(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
