"""``python -m m26``: the command line."""

from m26.cli import main

if __name__ == "__main__":
    main()
