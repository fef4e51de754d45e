"""`voicegate lab testers`: the accounts for softphones in a lab, and what they may dial."""

from pathlib import Path

import rich_click as click

from voicegate.cli.exits import Exit, Failure
from voicegate.cli.printing import json_option, print_json, print_table
from voicegate.lab.services import all_services
from voicegate.lab.settings import LabSettings, default_folder, recall
from voicegate.lab.testers import recall_accounts


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_folder,
    help="Where the lab lies.",
)
@json_option
def testers(folder: Path, *, as_json: bool) -> None:
    """List the accounts for softphones, with their passwords, and the service numbers they may dial."""
    settings = recall(folder)
    if settings is None:
        raise Failure(Exit.FAILED, f"there is no lab in {folder}: voicegate lab up")
    if as_json:
        print_json(describe_testers(settings))
    else:
        show_testers(settings)


def describe_testers(settings: LabSettings) -> dict[str, object]:
    """Return the accounts and service numbers of a lab, for JSON; no accounts before it was started first."""
    return {
        "registrar": settings.registrar,
        "transports": ["udp", "tcp"],
        "testers": [
            {
                "name": account.tester.name,
                "extension": account.tester.extension,
                "uri": f"sip:{account.tester.name}@{settings.registrar}",
                "password": account.password,
            }
            for account in recall_accounts(settings.accounts_file)
        ],
        "services": list(all_services()),
    }


def show_testers(settings: LabSettings) -> None:
    """Print the accounts and service numbers of a lab for people."""
    accounts = [
        (f"sip:{account.tester.name}@{settings.registrar}", account.tester.extension, account.password)
        for account in recall_accounts(settings.accounts_file)
    ]
    print_table(("softphone's account (UDP or TCP)", "extension", "password"), accounts)
    services = [(service.number, service.name, service.purpose) for service in all_services()]
    print_table(("dial", "or", "what happens"), services)
