"""What the tests of results share with those of the command line."""

from tests.cli.conftest import call

__all__ = ["call"]
