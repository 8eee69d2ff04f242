"""Run the command line with `python -m vitrail`."""

from vitrail.cli.main import run

if __name__ == "__main__":
    run()
