"""Words for the numbers of well-known Gymnasium environments, which name them only in their documentation.

Keys are ids without a version; the words follow the "Action Space" and "Observation Space" sections of each
environment's documentation (gymnasium.farama.org).
"""

from __future__ import annotations

ACTIONS: dict[str, tuple[str, ...]] = {
    "CartPole": ("push left", "push right"),
    "MountainCar": ("accelerate left", "coast", "accelerate right"),
    "Acrobot": ("torque -1", "torque 0", "torque +1"),
    "LunarLander": ("do nothing", "fire left engine", "fire main engine", "fire right engine"),
    "FrozenLake": ("left", "down", "right", "up"),
    "FrozenLake8x8": ("left", "down", "right", "up"),
    "CliffWalking": ("up", "right", "down", "left"),
    "CliffWalkingSlippery": ("up", "right", "down", "left"),
    "Taxi": ("south", "north", "east", "west", "pick up", "drop off"),
    "Blackjack": ("stick", "hit"),
}

OBSERVATIONS: dict[str, tuple[str, ...]] = {
    "CartPole": ("cart position", "cart velocity", "pole angle (rad)", "pole angular velocity"),
    "MountainCar": ("position", "velocity"),
    "Acrobot": (
        "cos theta1",
        "sin theta1",
        "cos theta2",
        "sin theta2",
        "angular velocity of theta1",
        "angular velocity of theta2",
    ),
    "LunarLander": (
        "x",
        "y",
        "x velocity",
        "y velocity",
        "angle",
        "angular velocity",
        "left leg on the ground",
        "right leg on the ground",
    ),
    "FrozenLake": ("cell (row * columns + column)",),
    "FrozenLake8x8": ("cell (row * columns + column)",),
    "CliffWalking": ("cell (row * 12 + column)",),
    "CliffWalkingSlippery": ("cell (row * 12 + column)",),
    "Taxi": ("state (((row * 5 + column) * 5 + passenger) * 4 + destination)",),
    "Blackjack": ("my sum", "dealer's card", "usable ace"),
}

MODULES: dict[str, str] = {
    "MiniGrid": "minigrid",
    "BabyAI": "minigrid",
    "MiniHack": "minihack",
    "NetHack": "nle",
    "ALE": "ale_py",
}
"""Start of an id -> the module that registers it, for those that Gymnasium does not find by itself."""

IDLE = ("noop", "no-op", "idle", "wait", "stay", "do nothing", "none", "coast")
"""Words for doing nothing, tried in this order as a default action."""
