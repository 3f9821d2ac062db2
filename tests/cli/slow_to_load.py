"""A module that takes an hour to import, as a large library does on a slow disk. Only a command that a test starts
imports it. The file that `LOADING` names says that it has begun.
"""

import os
import time
from pathlib import Path

Path(os.environ["LOADING"]).touch()
time.sleep(3600)


def answer(messages, settings) -> str:
    """A scripted model."""
    return ""
