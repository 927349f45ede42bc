"""`sagehouse`: every command, joined. Each imports what it needs when it runs, so that `--help` is quick."""

import io
import sys

import click

from sagehouse import __version__
from sagehouse.app.commands import doctor, house, look, point, quickstart


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sagehouse")
def main() -> None:
    """Amazon SageMaker in your own house.

    Start a house with `sagehouse up`, point programs at it with `eval "$(sagehouse env)"` or `sagehouse run`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal can show every log line


for _command in (
    house.up,
    house.down,
    house.status,
    house.reset,
    point.env,
    point.run,
    look.ls,
    look.describe,
    look.logs,
    look.ops,
    doctor.doctor,
    quickstart.quickstart,
):
    main.add_command(_command)

if __name__ == "__main__":
    main()
