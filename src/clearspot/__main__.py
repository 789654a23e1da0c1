"""``python -m clearspot``."""

from clearspot.cli.main import main

main()
