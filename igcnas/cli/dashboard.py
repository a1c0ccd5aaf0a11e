"""igcnas dashboard: a study in optuna-dashboard, in a browser on this machine, also while it runs."""

from __future__ import annotations

import argparse
import signal
import warnings

from igcnas.cli.common import add_study_argument, study_folder
from igcnas.errors import IgcnasError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "dashboard",
        help="look at a study in a browser, also while it runs (optuna-dashboard)",
        description="Serves optuna-dashboard for one study on 127.0.0.1, with learning curves, a note on each network "
        "and figures, until Ctrl-C. It only looks: nothing it can do changes the study, and no search is disturbed. "
        'Needs: pip install "igcnas[dashboard]"',
    )
    add_study_argument(parser)
    parser.add_argument(
        "--port", type=int, default=8080, metavar="N", help="to listen on; 0: any that is free (default: %(default)s)"
    )
    parser.set_defaults(run=run, unread="the dashboard goes on; Ctrl-C ends it")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    if arguments.port < 0:
        raise IgcnasError(f"--port {arguments.port} must be at least 0; 0 is any that is free")
    warnings.filterwarnings("ignore", module="optuna")  # its importances tell of every rare value
    from igcnas.results.dashboard import Server

    server = Server(study_folder(arguments), port=arguments.port)
    # Also where a shell started it in the background, with Ctrl-C ignored.
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        print(f"open {server.address} in a browser; Ctrl-C ends it", flush=True)
        server.serve()
    except KeyboardInterrupt:
        print("stopped")
    finally:
        server.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
