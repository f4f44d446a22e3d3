"""All errors that the bridge raises on purpose, in one tree.

BridgeError
├── UsageError             wrong usage or configuration: one line, exit status 2
├── CommandError           a command failed at run time: one line, exit status 1
├── UpstreamFault          a connection to a provider failed: in which phase, and how
└── Reject                 a response that the bridge makes itself, in place of a provider's

Terms
    reason: the name of a reject in headers, metrics and logs; one of `REASONS`.
    wait: the seconds until a retry helps; it becomes the Retry-After headers.
    jitter: a random share added to the wait, so that clients rejected together do not retry together.
    phase: the part of a request at its provider: `connect`, `head` (until the response head), `stream`.

Files, in reading order
    base: the classes of this tree, and a reject's headers.
    caller_rejects, key_rejects, rejects: every reject, with its reason, status and text.
    usage_rejects: those of limits on tokens, and of budgets.
    route_rejects: that of model routes.
"""

from aibridge_trio.errors.base import (
    MAX_JITTER,
    PHASES,
    BridgeError,
    CommandError,
    Phase,
    Reject,
    UpstreamFault,
    UsageError,
)
from aibridge_trio.errors.caller_rejects import ModelNotAllowed, UnknownCaller, UnknownCallerLimited
from aibridge_trio.errors.key_rejects import CredentialCooldown, KeysResting
from aibridge_trio.errors.rejects import (
    AtCapacity,
    BadRequest,
    BodyTooLarge,
    BufferFull,
    CallerAtCapacity,
    CannotHold,
    CircuitOpen,
    ForbiddenOrigin,
    HoldTimeout,
    InternalError,
    LineFull,
    LoopDetected,
    MethodNotAllowed,
    NotFound,
    OpenCause,
    ProviderAtCapacity,
    QueueDeadline,
    QueueFull,
    QueueTimeout,
    RateLimited,
    ShuttingDown,
    StoredReference,
    StoreUnavailable,
    UpgradeRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from aibridge_trio.errors.route_rejects import ModelNotRouted
from aibridge_trio.errors.usage_rejects import BudgetExhausted, TokenLimited

REASONS: tuple[str, ...] = tuple(kind.reason for kind in Reject.__subclasses__())

__all__ = [
    "MAX_JITTER",
    "PHASES",
    "REASONS",
    "AtCapacity",
    "BadRequest",
    "BodyTooLarge",
    "BridgeError",
    "BudgetExhausted",
    "BufferFull",
    "CallerAtCapacity",
    "CannotHold",
    "CircuitOpen",
    "CommandError",
    "CredentialCooldown",
    "ForbiddenOrigin",
    "HoldTimeout",
    "InternalError",
    "KeysResting",
    "LineFull",
    "LoopDetected",
    "MethodNotAllowed",
    "ModelNotAllowed",
    "ModelNotRouted",
    "NotFound",
    "OpenCause",
    "Phase",
    "ProviderAtCapacity",
    "QueueDeadline",
    "QueueFull",
    "QueueTimeout",
    "RateLimited",
    "Reject",
    "ShuttingDown",
    "StoreUnavailable",
    "StoredReference",
    "TokenLimited",
    "UnknownCaller",
    "UnknownCallerLimited",
    "UpgradeRefused",
    "UpstreamFault",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "UsageError",
]
