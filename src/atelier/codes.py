"""The published codes: what every problem, failure and warning is known by."""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "validation_error",
    "not_found",
    "unauthorized",
    "origin_refused",
    "rate_limited",
    "too_many_streams",
    "conflict",
    "idempotency_mismatch",
    "already_terminal",
    "body_too_large",
    "queue_full",
    "queue_unavailable",
    "timeout",
    "too_many_connections",
    "provider_not_configured",
    "provider_refused",
    "provider_bad_key",
    "provider_no_credit",
    "provider_rate_limited",
    "provider_unavailable",
    "provider_invalid_request",
    "out_of_memory",
    "maybe_charged",
    "invalid_image",
    "invalid_text",
    "page_unreadable",
    "own_keys_off",
    "storage_full",
    "storage_unavailable",
    "store_unavailable",
    "worker_lost",
    "deadline_exceeded",
    "cancelled",
    "internal",
]
"""What callers may decide by; a code that was published keeps its meaning."""
