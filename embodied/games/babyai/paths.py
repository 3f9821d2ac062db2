"""How long minigrid's bot takes from the same start: the length that an agent's path is compared with."""

from __future__ import annotations

from functools import lru_cache

from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel
from minigrid.utils.baby_ai_bot import BabyAIBot

from embodied.games.babyai.levels import MixedTrainLevel


@lru_cache(maxsize=4096)
def bot_path(kind: str, distractors: int, seed: int) -> tuple[str, int] | None:
    """What BabyAI's bot does in a level of its own. No episode that is played changes.

    Args:
        kind: One of `embodied.games.babyai.levels.KINDS`.
        distractors: Objects besides those the instruction needs, in [0, 12].
        seed: That of the episode.

    Returns:
        The instruction, and the steps until the bot fulfils it; None where the bot does not.
    """
    level: RoomGridLevel = MixedTrainLevel(kind, distractors=distractors)
    level.reset(seed=seed)
    bot, steps, action = BabyAIBot(level), 0, None
    while True:
        try:
            action = int(bot.replan(action))
        except AssertionError:  # how the bot says that it has no plan
            return None
        _, _, terminated, truncated, _ = level.step(action)
        steps += 1
        if terminated or truncated:
            return (str(level.mission), steps) if terminated else None
