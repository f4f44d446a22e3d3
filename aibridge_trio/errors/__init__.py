"""Everything that goes wrong, in one tree.

BridgeError
├── UsageError             the user's: wrong usage or configuration, one line, exit status 2
├── CommandError           a command failed at run time, one line, exit status 1
├── UpstreamFault          the provider's side broke: in which phase, and how
└── Reject                 an answer that the bridge gives by itself; docs/reference.md has a table of them
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
from aibridge_trio.errors.rejects import (
    REASONS,
    AtCapacity,
    BadRequest,
    BodyTooLarge,
    BufferFull,
    CallerAtCapacity,
    CircuitOpen,
    CredentialCooldown,
    ForbiddenOrigin,
    InternalError,
    LoopDetected,
    MethodNotAllowed,
    NotFound,
    ProviderAtCapacity,
    QueueDeadline,
    QueueFull,
    QueueTimeout,
    RateLimited,
    ShuttingDown,
    StoredReference,
    UpgradeRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

__all__ = [
    "MAX_JITTER",
    "PHASES",
    "REASONS",
    "AtCapacity",
    "BadRequest",
    "BodyTooLarge",
    "BridgeError",
    "BufferFull",
    "CallerAtCapacity",
    "CircuitOpen",
    "CommandError",
    "CredentialCooldown",
    "ForbiddenOrigin",
    "InternalError",
    "LoopDetected",
    "MethodNotAllowed",
    "NotFound",
    "Phase",
    "ProviderAtCapacity",
    "QueueDeadline",
    "QueueFull",
    "QueueTimeout",
    "RateLimited",
    "Reject",
    "ShuttingDown",
    "StoredReference",
    "UpgradeRefused",
    "UpstreamFault",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "UsageError",
]
