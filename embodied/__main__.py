"""`python -m embodied`."""

from embodied.cli import main

main()
