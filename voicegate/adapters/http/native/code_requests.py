"""What the native door's bodies about factors want of a code."""

from dataclasses import replace
from datetime import timedelta

from voicegate.adapters.http import fields
from voicegate.adapters.http.native.factor_schemas import NewFactor, NewFactorCall, NewFactorChallenge
from voicegate.application.pending_call import CodeRequest


def code_request(body: NewFactorChallenge) -> CodeRequest:
    """Return what a body wants of a code for a sign-in."""
    lifetime = None if body.lifetime_s is None else timedelta(seconds=body.lifetime_s)
    return replace(wanted_code(body), lifetime=lifetime)


def wanted_code(body: NewFactor | NewFactorCall | NewFactorChallenge) -> CodeRequest:
    """Return what a body wants of a code, but for its lifetime."""
    terms = fields.read_terms(body.max_price, body.ttl_s)
    return CodeRequest(terms=terms, matching_digits=body.matching_digits)
