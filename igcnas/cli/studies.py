"""igcnas studies: where the records of studies are, and moving them between a folder and a server."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from igcnas.cli.common import add_studies_dir
from igcnas.errors import IgcnasError

EPILOG = """examples:
  %(prog)s list
  %(prog)s list --storage postgresql://me@server/studies
  %(prog)s copy NAME postgresql://me@server/studies
  %(prog)s copy NAME journal
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "studies",
        help="where the records of studies are; copy them to a database server and back",
        description="The records of a study are a journal in its folder, or in a PostgreSQL server. Weights and "
        "exports are in its folder in any case.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="all studies here, and those of the server of --storage")
    copying = actions.add_parser(
        "copy",
        help="move the records of a study",
        description="Copies all records, reads them back, and has the study go on there. What was copied stays: a "
        "journal as journal.log.copied, a study of a server in the server.",
    )
    copying.add_argument("study", metavar="NAME", help="name of a study, or the path of its folder")
    copying.add_argument(
        "target", metavar="TARGET", help="postgresql://USER@HOST/DATABASE for a server; journal for the folder"
    )
    for one in (listing, copying):
        add_studies_dir(one)
        one.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List or copy."""
    return _list(arguments) if arguments.action == "list" else _copy(arguments)


def _list(arguments: argparse.Namespace) -> int:
    from igcnas.results.table import Column, Table
    from igcnas.search.database.address import Address, Home
    from igcnas.search.settings import study_names

    root: Path = arguments.studies_dir
    homes = {name: Home.of(root / name) for name in study_names(root)}
    found = {name: "journal" if home is None else home.address.text() for name, home in homes.items()}
    given = Address.given()
    if given is not None:
        from igcnas.search.database.serving import studies_of

        known = {home.study for home in homes.values() if home is not None and home.address == given}
        found |= {name: f"{given.text()}, no folder here" for name in studies_of(given) if name not in known}
    if arguments.json:
        print(json.dumps(found))
        return 0
    columns = [Column.words("study", lambda row: row[0]), Column.words("records", lambda row: row[1])]
    print(Table.of(columns, list(found.items())).text() if found else f"no study in {root}")
    return 0


def _copy(arguments: argparse.Namespace) -> int:
    from igcnas.search.database.address import Address
    from igcnas.search.folder import find_study
    from igcnas.search.patience import Patience

    folder = find_study(arguments.study, arguments.studies_dir)
    patience = Patience(note=print)
    if arguments.target == "journal":
        from igcnas.search.database.moving import to_journal

        to_journal(folder, patience)
        where = str(folder)
    elif "://" in arguments.target:
        from igcnas.search.database.moving import to_server

        where = to_server(folder, Address.read(arguments.target).with_secrets(), patience).address.text()
    else:
        raise IgcnasError(f"no records are at {arguments.target!r}; give postgresql://USER@HOST/DATABASE, or journal")
    from igcnas.search.study import Study

    trials = len(Study.read(folder).trials)
    print(
        json.dumps({"study": folder.name, "records": where, "trials": trials})
        if arguments.json
        else f"copied    {trials} trials of {folder.name}; its records are in {where} from now on"
    )
    return 0
