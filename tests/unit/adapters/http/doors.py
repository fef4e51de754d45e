"""Every door that requests calls, in one daemon: for what each of them says of the same thing."""

from datetime import timedelta

from tests.unit.adapters.http.twilio.serving import door_of as twilio_door_of
from tests.unit.application.conftest import Bench
from voicegate import config
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.okta.door import okta_door
from voicegate.adapters.http.okta.factors import OktaDependencies
from voicegate.adapters.http.okta_hook import OktaHook, okta_hook_door
from voicegate.adapters.http.providers import Providers, provider_doors
from voicegate.bootstrap.doors import providers

_IDP = {"providers": {"idp": {"number": "To", "code": "Body"}}}


def doors_beside_the_native(bench: Bench) -> list[Door]:
    """Return all doors but the native one, which is always there."""
    return [
        okta_door(OktaDependencies(bench.enrollment, bench.factors)),
        twilio_door_of(bench),
        okta_hook_door(OktaHook(bench.sign_in, bench.clock, answer_within=timedelta(seconds=30))),
        *provider_doors(Providers(bench.sign_in, bench.clock, dict(providers(config.parse(_IDP))))),
    ]
