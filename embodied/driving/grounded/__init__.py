"""`grounded-v1`: answers about streets scored on facts, by rules, without a model. The same text gives the same score
everywhere.

It reads English and Chinese; an answer in another language is `unreadable` and is counted apart. It is not a judge's
score and never stands in one column with one. A change that can move a score needs a new name.
"""

from embodied.driving.grounded.general import GeneralScore, score_general
from embodied.driving.grounded.region import RegionScore, score_region
from embodied.driving.grounded.suggestion import SuggestionScore, score_suggestion

NAME = "grounded-v1"

__all__ = [
    "NAME",
    "GeneralScore",
    "RegionScore",
    "SuggestionScore",
    "score_general",
    "score_region",
    "score_suggestion",
]
