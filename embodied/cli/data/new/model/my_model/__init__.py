"""MyModel: a provider of models, `--model my_model/NAME`."""

from embodied.errors import ModelRefused
from embodied.types import Reply, Text, Usage


class MyModel:
    """Answers every prompt with its own name: `--model my_model/left` says `left`.

    Call your model in `generate`. A call that raises `ModelUnavailable` is tried again. One that raises `ModelRefused`
    stops the run.
    """

    def __init__(self, config, blobs):
        """Made once a run.

        Args:
            config: An `embodied.models.ModelConfig`: the name and the options `model.*` of the command line.
            blobs: Where the pictures of messages are: `blobs.get(image.digest)` is a PNG.
        """
        self.name = f"my_model/{config.name}"
        self._answer = config.name

    async def generate(self, messages, settings):
        """Answers a chat. `settings` has temperature, max_tokens, stop, seed, ... Several calls may run at once."""
        if not messages:
            raise ModelRefused(f"{self.name} was asked nothing.")
        read = " ".join(part.text for message in messages for part in message.parts if isinstance(part, Text))
        usage = Usage(input=len(read.split()), output=len(self._answer.split()))
        return Reply(text=self._answer, usage=usage, model=self.name)

    async def aclose(self):
        """Frees connections and memory. It may be called twice."""
