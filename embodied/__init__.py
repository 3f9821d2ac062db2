"""Embodied: vision-language agents act, are measured, are corrected and get better.

Importing the package registers its environments with Gymnasium.
"""

__version__ = "0.1.0"

from embodied.envs import register

register()
