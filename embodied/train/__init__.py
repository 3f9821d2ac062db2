"""Training: what makes an agent better, and the folders that it makes.

A learner is a name in `LEARNERS`; other distributions add theirs through the entry-point group `embodied.learners`: a
callable as `embodied.train.learner.Learner` says.
"""

from __future__ import annotations

from embodied.registry import Registry

LEARNERS = Registry(
    "learner",
    {
        "null": "embodied.train.controls:null",
        "memorise": "embodied.train.controls:memorise",
        "corrections": "embodied.train.corrections:learn",
        "prompt": "embodied.train.prompts:learn",
        "memory": "embodied.train.memories:learn",
    },
)
