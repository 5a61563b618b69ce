"""``python -m m26`` and ``m26``: the command line."""

from m26 import isolation


def main() -> None:
    """Run the command of `sys.argv`; exit with its code."""
    isolation.begin()  # before anything is imported that could be somebody else's
    from m26 import signals

    signals.at_once()  # reading the command line's own modules takes 0.2 s
    from m26.cli import main as run

    run()


if __name__ == "__main__":
    main()
