"""`voicegate factors`: a subscriber's telephone, from its enrollment to its reset.

A subscriber is the backend's own name for the person. Codes are never arguments, because those can be seen in
`ps`.
"""

import copy
import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import rich_click as click

from voicegate.cli.check import describe, read_code
from voicegate.cli.exits import Exit, Failure
from voicegate.cli.options import (
    Options,
    complete_language,
    dry_run_option,
    end_user_ip_option,
    matching_digits_option,
    max_price_option,
    show_matching_digits,
    ttl_option,
)
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, json_option, print_dry_run, print_json, print_table
from voicegate.cli.watching import Watched, follow
from voicegate.client import Client, Factor, FactorJudgement
from voicegate.domain.errors import VoicegateError


def _complete_subscriber(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the subscribers for a shell's completion, from the first hundred factors."""
    with suppress(VoicegateError), connect(_completing(ctx)) as client:
        subscribers = {factor.subscriber for factor in client.factors.page(100).factors}
        return sorted(name for name in subscribers if name.startswith(incomplete))
    return []


def _complete_factor(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of the subscriber's factors, for a shell's completion."""
    with suppress(VoicegateError), connect(_completing(ctx)) as client:
        found = client.factors.list(ctx.params["subscriber"])
        return [factor.id for factor in found if factor.id.startswith(incomplete)]
    return []


def _completing(ctx: click.Context) -> Options:
    # While a shell completes, no group is called, and so none has left its options.
    given = ctx.find_root().params
    return Options(given.get("config"), given.get("socket"))


_subscriber = click.argument("subscriber", shell_complete=_complete_subscriber)
_factor_id = click.argument("factor_id", metavar="[ID]", required=False, shell_complete=_complete_factor)
_watch = click.option("--watch", is_flag=True, help="Show the call as it happens; exit 0 only if delivered.")
_lifetime = click.option(
    "--lifetime", type=click.IntRange(1, 86400), metavar="SECONDS", help="How long its codes count."
)

_ANEW: Final[Mapping[str | None, str]] = {
    "no_challenge": "no code is out",
    "canceled": "the code was taken back",
    "expired": "the code has expired",
    "locked": "the code is locked by wrong guesses",
    "reported": "somebody pressed 9 on the call, as they did not ask for it",
}
"""Reasons of a denied guess after which another call helps."""


@click.group()
def factors() -> None:
    """Telephones of subscribers, which they sign in with."""


@factors.command()
@_subscriber
@click.argument("number", required=False)
@click.option("--page", is_flag=True, help="Print the URL of a page where they do it; takes no NUMBER.")
@click.option("--extension", help="Landline extension, sent after answer; w pauses 0.5 s, W 1 s.")
@click.option(
    "--language",
    shell_complete=complete_language,
    help="Language tag of its calls; as configured when not given.",
)
@_lifetime
@click.option("--replace", is_flag=True, help="End the subscriber's present telephone for this one.")
@click.option("--proven", is_flag=True, help="It was proven elsewhere: no call, no code. For admins.")
@end_user_ip_option
@max_price_option
@ttl_option
@matching_digits_option
@_watch
@json_option
@click.pass_obj
def enroll(  # noqa: PLR0913  # click hands options over by name
    options: Options,
    subscriber: str,
    number: str | None,
    *,
    page: bool,
    extension: str | None,
    language: str | None,
    lifetime: int | None,
    replace: bool,
    proven: bool,
    end_user_ip: str | None,
    max_price: float | None,
    ttl_s: float | None,
    matching_digits: bool | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Bind the telephone NUMBER to SUBSCRIBER and call it with a code that activates it; or print where they
    do so on a page."""
    if page is (number is not None):
        raise click.UsageError("give a NUMBER, or --page for a page where they enter it.")
    with connect(options) as client:
        if number is None:
            _page(client, subscriber, language, as_json=as_json)
            return
        factor = client.factors.enroll(
            subscriber,
            number,
            extension=extension,
            language=language,
            lifetime_s=lifetime,
            replace=replace,
            is_activated=proven,
            end_user_ip=end_user_ip,
            max_price=max_price,
            ttl_s=ttl_s,
            matching_digits=matching_digits,
        )
        _called(client, factor, watch=watch, as_json=as_json)


@factors.command()
@_subscriber
@_factor_id
@json_option
@click.pass_obj
def activate(options: Options, subscriber: str, factor_id: str | None, *, as_json: bool) -> None:
    """Activate SUBSCRIBER's telephone by the code that was spoken; exit 1 if the code is denied."""
    with connect(options) as client:
        found = _find(client, subscriber, factor_id)
        judgement = client.factors.activate(subscriber, found.id, read_code())
    _judged(judgement, found, "call-again", as_json=as_json)


@factors.command("call-again")
@_subscriber
@_factor_id
@end_user_ip_option
@max_price_option
@ttl_option
@matching_digits_option
@dry_run_option
@_watch
@json_option
@click.pass_obj
def call_again(
    options: Options,
    /,
    subscriber: str,
    factor_id: str | None,
    *,
    dry_run: bool,
    watch: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Call again for the activation, with the same code while it is valid."""
    with connect(options) as client:
        found = _find(client, subscriber, factor_id)
        if dry_run:
            print_dry_run(client.factors.dry_run(subscriber, found.id, **given), as_json=as_json)
            return
        client.factors.call_again(subscriber, found.id, **given)
        _called(client, client.factors.get(subscriber, found.id), watch=watch, as_json=as_json)


_resend = copy.copy(call_again)
_resend.name, _resend.hidden, _resend.deprecated = "resend", True, "It is `call-again` now."
factors.add_command(_resend)


@factors.command()
@_subscriber
@_factor_id
@_lifetime
@end_user_ip_option
@max_price_option
@ttl_option
@matching_digits_option
@dry_run_option
@_watch
@json_option
@click.pass_obj
def challenge(
    options: Options,
    /,
    subscriber: str,
    factor_id: str | None,
    *,
    lifetime: int | None,
    dry_run: bool,
    watch: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Call SUBSCRIBER's telephone with a code for a sign-in: with the same code while the last one is
    valid."""
    with connect(options) as client:
        found = _find(client, subscriber, factor_id)
        if dry_run:
            print_dry_run(client.factors.dry_run(subscriber, found.id, **given), as_json=as_json)
            return
        client.factors.challenge(subscriber, found.id, lifetime, **given)
        _called(client, client.factors.get(subscriber, found.id), watch=watch, as_json=as_json)


@factors.command()
@_subscriber
@_factor_id
@json_option
@click.pass_obj
def verify(options: Options, subscriber: str, factor_id: str | None, *, as_json: bool) -> None:
    """Check the code of SUBSCRIBER's sign-in; exit 1 if it is denied."""
    with connect(options) as client:
        found = _find(client, subscriber, factor_id)
        judgement = client.factors.verify(subscriber, found.id, read_code())
    _judged(judgement, found, "challenge", as_json=as_json)


@factors.command("list")
@_subscriber
@json_option
@click.pass_obj
def list_factors(options: Options, subscriber: str, *, as_json: bool) -> None:
    """List SUBSCRIBER's telephones: one; for an admin, one of each client."""
    with connect(options) as client:
        found = client.factors.list(subscriber)
    if as_json:
        print_json(found)
        return
    print_table(
        ("factor", "status", "telephone", "since", "last call"),
        ((one.id, one.status, _telephone(one), clock(one.created_at), _last_call(one)) for one in found),
    )


@factors.command()
@_subscriber
@_factor_id
@json_option
@click.pass_obj
def show(options: Options, subscriber: str, factor_id: str | None, *, as_json: bool) -> None:
    """Show SUBSCRIBER's telephone and the state of its newest code."""
    with connect(options) as client:
        factor = _find(client, subscriber, factor_id)
    if as_json:
        print_json(factor)
        return
    click.echo(f"{factor.id}: {factor.status}, {_telephone(factor)}, since {clock(factor.created_at)}")
    if factor.enrollments > 1:
        click.echo(f"{factor.enrollments} factors are bound to this number")
    click.echo(f"last used: {clock(factor.verified_at) if factor.verified_at else 'never'}")
    if factor.verification is not None:
        click.echo(f"code: {factor.verification.status}, until {clock(factor.verification.expires_at)}")
        click.echo(f"last call: {_last_call(factor)}")


@factors.command()
@_subscriber
@_factor_id
@json_option
@click.pass_obj
def reset(options: Options, subscriber: str, factor_id: str | None, *, as_json: bool) -> None:
    """Remove SUBSCRIBER's telephone: its open codes end, a call in progress is hung up."""
    with connect(options) as client:
        found = _find(client, subscriber, factor_id)
        client.factors.reset(subscriber, found.id)
    if as_json:
        print_json({"reset": [found.id]})
    else:
        click.echo(f"{found.id}: reset")


@factors.command("reset-all")
@_subscriber
@json_option
@click.pass_obj
def reset_all(options: Options, subscriber: str, *, as_json: bool) -> None:
    """Remove all telephones of SUBSCRIBER; for an admin, those of every client."""
    with connect(options) as client:
        found = client.factors.reset_all(subscriber)
    if as_json:
        print_json({"reset": found})
    else:
        click.echo(f"{subscriber}: reset {', '.join(found) or 'nothing: there was none'}")


def _find(client: Client, subscriber: str, factor_id: str | None) -> Factor:
    """Return the factor with this id; without an id, the subscriber's only one."""
    if factor_id is not None:
        return client.factors.get(subscriber, factor_id)
    found = client.factors.list(subscriber)
    if not found:
        fix = f"voicegate factors enroll {shlex.quote(subscriber)} NUMBER"
        raise Failure(Exit.REFUSED, f"{subscriber} has no telephone yet; enroll one with: {fix}")
    if len(found) > 1:
        names = ", ".join(one.id for one in found)
        raise Failure(Exit.USAGE, f"{subscriber} has {len(found)} telephones; name one of {names}")
    return found[0]


def _page(client: Client, subscriber: str, language: str | None, *, as_json: bool) -> None:
    """Print where a subscriber sets their telephone up."""
    session = client.pages.create(subscriber, "enroll", language=language)
    if as_json:
        print_json(session)
        return
    click.echo(session.url)
    click.echo(f"open it before {clock(session.expires_at)}, in one browser, once", err=True)


def _called(client: Client, factor: Factor, *, watch: bool, as_json: bool) -> None:
    """Print the call with a factor's newest code."""
    code, call = factor.verification, factor.call
    verb = "verify" if factor.status == "active" else "activate"
    next_step = f"{verb} it with: {_command(verb, factor)}"
    if code is not None and not as_json:
        show_matching_digits(code.matching_digits)
    if watch and code is not None and call is not None:
        watched = Watched(code.id, call.id, call.destination, call.created_at, next_step)
        follow(client, watched, lambda: client.factors.get(factor.subscriber, factor.id), as_json=as_json)
    elif as_json:
        print_json(factor)
    elif call is None:
        click.echo(f"{factor.id}: {factor.status}")
    else:
        click.echo(f"calling {call.destination}\n{next_step}")


def _command(verb: str, factor: Factor) -> str:
    return f"voicegate factors {verb} {shlex.quote(factor.subscriber)} {factor.id}"


def _judged(judgement: FactorJudgement, factor: Factor, call_anew: str, *, as_json: bool) -> None:
    """Print the result of a guess; `call_anew` is the command that brings another code."""
    if as_json:
        print_json(judgement)
    else:
        click.echo(_describe(judgement, factor, call_anew))
    if judgement.status != "verified":
        raise SystemExit(Exit.NO)


def _describe(judgement: FactorJudgement, factor: Factor, call_anew: str) -> str:
    after = judgement.factor or factor
    if judgement.reason == "locked" and after.status == "locked":
        return f"denied: the factor is locked; end it with: {_command('reset', factor)}"
    if judgement.reason in _ANEW:
        return f"denied: {_ANEW[judgement.reason]}; call with another: {_command(call_anew, factor)}"
    return describe(judgement)


def _telephone(factor: Factor) -> str:
    return factor.destination + (f" extension {factor.extension}" if factor.extension else "")


def _last_call(factor: Factor) -> str:
    call = factor.call
    return f"{call.outcome or call.state}, {call.evidence.strongest}" if call else "none"
