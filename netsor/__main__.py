"""`python -m netsor` is the `netsor` command."""

from netsor.cli.main import run

if __name__ == "__main__":
    run()
