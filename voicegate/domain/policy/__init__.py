"""Who may be called, when and how often, and how many codes may be guessed; refusals are values.

`destinations` judges numbers, `prefixes` has the denied ranges, `listed` the numbers on lists, `calls` limits
how often a telephone may ring, `velocity` how many calls are placed, `spend` what they cost, `conversion`
which ranges are held, `guesses` how many codes may be guessed;
`rules` is what the admin allows.
"""

from voicegate.domain.policy.calls import (
    IN_PROGRESS_WAIT,
    UNSAFE_FOR,
    PastCall,
    Target,
    bucket_of,
    may_call_again,
    may_ring,
    next_call,
)
from voicegate.domain.policy.conversion import ConversionPolicy, PrefixHold, Tally
from voicegate.domain.policy.decisions import Allow, Deny, DenyReason, NumberKind, refusal
from voicegate.domain.policy.destinations import RuleResult, apply_destination_rules, may_reach
from voicegate.domain.policy.guesses import Guesses, may_issue
from voicegate.domain.policy.listed import ListedNumber, NumberList, apply_list_rules, policy_for
from voicegate.domain.policy.prefixes import DeniedPrefix, PrefixRules
from voicegate.domain.policy.rules import CallPolicy, GuessPolicy, NumberCheck
from voicegate.domain.policy.spend import SpendPolicy
from voicegate.domain.policy.velocity import Caller, Counter, CounterKind, VelocityPolicy

__all__ = [
    "IN_PROGRESS_WAIT",
    "UNSAFE_FOR",
    "Allow",
    "CallPolicy",
    "Caller",
    "ConversionPolicy",
    "Counter",
    "CounterKind",
    "DeniedPrefix",
    "Deny",
    "DenyReason",
    "GuessPolicy",
    "Guesses",
    "ListedNumber",
    "NumberCheck",
    "NumberKind",
    "NumberList",
    "PastCall",
    "PrefixHold",
    "PrefixRules",
    "RuleResult",
    "SpendPolicy",
    "Tally",
    "Target",
    "VelocityPolicy",
    "apply_destination_rules",
    "apply_list_rules",
    "bucket_of",
    "may_call_again",
    "may_issue",
    "may_reach",
    "may_ring",
    "next_call",
    "policy_for",
    "refusal",
]
