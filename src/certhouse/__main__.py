"""``python -m certhouse`` and the ``certhouse`` command."""

from certhouse.cli import main

if __name__ == "__main__":
    main()
