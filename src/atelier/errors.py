"""The one small tree of errors; every message is safe to show to a caller.

AtelierError
├── InvalidInput          the caller's value is wrong; names the field
├── NotFound              no such thing, or somebody else's
├── Unauthorized          no or bad credentials
├── RateLimited           the caller's rate or daily cap is used up
├── TooManyStreams        the caller watches as much as allowed
├── Conflict              the present state does not allow it
│   ├── AlreadyTerminal   the job has ended
│   └── JobConflict       a worker's write came after its lease or its run ended
├── QueueFull             too much waits already
├── QueueUnavailable      the queue cannot be reached, or cannot deliver now
├── TooLarge              more than can be kept at once
├── IdempotencyMismatch   the key was used for another request
├── StoreUnavailable      the store did not answer, or not in time
│   └── StoreFull         no room left for records
├── StorageError          the pictures' storage failed
│   ├── StorageFull       no room left
│   └── StorageRefused    it refuses, and will again until somebody mends the configuration
├── ProviderError         a provider failed; subclasses say how
│   ├── ProviderRefused         it will not draw this; nobody else is asked
│   ├── ProviderBadKey          it does not know the key
│   ├── ProviderNoCredit        the account has no money left
│   ├── ProviderRateLimited     too many requests, for now or for today; ProviderWaits: nothing was ordered yet
│   ├── ProviderUnavailable     down, slow, or not to be understood; nothing was ordered
│   ├── ProviderInvalidRequest  it does not understand what it is asked
│   ├── OutOfMemory             what it computes with has not enough for this
│   ├── ProviderNotConfigured   no such provider here
│   └── MaybeCharged            it was ordered, and no whole answer came back; PaymentUnclear: twice
├── InvalidImage          what the provider sent is not a complete picture
├── InvalidText           what the provider wrote is empty, or not of the shape that was asked for, twice
├── PageUnreadable        a page of the web is not there, or nothing to read; no job fails of it
├── OwnKeysOff            callers cannot bring keys of their own here
├── WorkerLost, DeadlineExceeded
└── StartRefused          the configuration or the data do not allow a start
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from atelier.codes import Code


class AtelierError(Exception):
    """An error with a published `code`, a sentence for people, and whether trying again can help."""

    code: ClassVar[Code] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class InvalidInput(AtelierError):
    """A value the caller sent is wrong; `loc` is the path to its field."""

    code = "validation_error"

    def __init__(self, message: str, *, loc: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.loc = loc


class NotFound(AtelierError):
    """No such thing, or somebody else's: the two look alike."""

    code = "not_found"


class Unauthorized(AtelierError):
    """Credentials are missing or wrong."""

    code = "unauthorized"


class RateLimited(AtelierError):
    """The caller asked too often, or for more than a day may cost; `retry_after` says when to come back."""

    code = "rate_limited"
    retryable = True


class TooManyStreams(AtelierError):
    """As many streams are open as one owner may have."""

    code = "too_many_streams"
    retryable = True


class Conflict(AtelierError):
    """The present state does not allow what was asked."""

    code: ClassVar[Code] = "conflict"


class QueueFull(AtelierError):
    """So much waits already that nothing more is accepted now."""

    code = "queue_full"
    retryable = True


class QueueUnavailable(AtelierError):
    """What carries jobs cannot be reached, or what it carries cannot be taken now."""

    code = "queue_unavailable"
    retryable = True


class TooLarge(AtelierError):
    """More than the store can keep at once; nothing was written, and trying again changes nothing."""

    code = "body_too_large"


class IdempotencyMismatch(AtelierError):
    """The idempotency key was used before, for another request."""

    code = "idempotency_mismatch"


class AlreadyTerminal(Conflict):
    """The job has ended; there is nothing left to cancel."""

    code = "already_terminal"


class JobConflict(Conflict):
    """A worker's write came after its lease was taken or its run had ended."""


class StoreUnavailable(AtelierError):
    """The store did not answer, or not in time; the outcome of a write is unknown."""

    code: ClassVar[Code] = "store_unavailable"
    retryable = True


class StoreRefused(StoreUnavailable):
    """The store cannot be written to now; nothing was written."""


class StoreFull(StoreRefused):
    """No room is left for records; nothing was written."""

    code = "storage_full"


class StorageError(AtelierError):
    """The pictures' storage failed."""

    code: ClassVar[Code] = "storage_unavailable"
    retryable = True


class StorageFull(StorageError):
    """No room is left for pictures."""

    code = "storage_full"


class StorageRefused(StorageError):
    """The storage refuses what it was asked; asking again changes nothing until somebody mends the configuration."""

    retryable = False


class ProviderError(AtelierError):
    """A provider failed."""

    code: ClassVar[Code] = "provider_unavailable"


class ProviderRefused(ProviderError):
    """The provider will not make this; asking again changes nothing."""

    code = "provider_refused"


class ProviderBadKey(ProviderError):
    """The provider does not know the key, or it may not do this: it is of no use until somebody mends it."""

    code = "provider_bad_key"


class ProviderNoCredit(ProviderError):
    """The account behind the key has no money or credits left."""

    code = "provider_no_credit"


class ProviderRateLimited(ProviderError):
    """Too many requests; `retry_after` says when to come back, where that is known. `daily`: a whole day's are used up."""

    code = "provider_rate_limited"
    retryable = True

    def __init__(self, message: str, *, retry_after: timedelta | None = None, daily: bool = False) -> None:
        super().__init__(message, retry_after=retry_after)
        self.daily = daily


class ProviderWaits(ProviderRateLimited):
    """Nothing was ordered, and nothing can be before `until`; `for_key`: because all keys rest."""

    def __init__(self, message: str, *, until: datetime, for_key: bool = False) -> None:
        self.until, self.for_key = until, for_key
        super().__init__(message)


class ProviderUnavailable(ProviderError):
    """The provider is down, slow or answers nonsense; nothing was paid for."""

    code = "provider_unavailable"
    retryable = True


class ProviderInvalidRequest(ProviderError):
    """The provider does not take the request as it is, nor will it later: a model, a size, a language it has not."""

    code = "provider_invalid_request"


class OutOfMemory(ProviderError):
    """What the provider computes with has not the memory for this; asking again changes nothing until somebody makes room."""

    code = "out_of_memory"


class ProviderNotConfigured(ProviderError):
    """No such provider is set up here."""

    code = "provider_not_configured"


class MaybeCharged(ProviderError):
    """The order went out and no whole answer came back: whether it is paid for, nobody can tell."""

    code = "maybe_charged"
    retryable: ClassVar[bool] = True


class PaymentUnclear(MaybeCharged):
    """It happened twice: no third order is placed without being asked for."""

    retryable = False


class InvalidImage(AtelierError):
    """What came back is not a complete, plausible picture."""

    code = "invalid_image"


class InvalidText(AtelierError):
    """What was written is empty, or has not the shape that was asked for, also when asked again."""

    code = "invalid_text"


class PageUnreadable(AtelierError):
    """A page is not there, too large, no text, or at an address that must not be asked."""

    code = "page_unreadable"


class OwnKeysOff(AtelierError):
    """The service keeps no keys of its callers: it was not told how to encrypt them, or takes none."""

    code = "own_keys_off"


class WorkerLost(AtelierError):
    """The worker that held the job stopped answering."""

    code = "worker_lost"
    retryable = True


class DeadlineExceeded(AtelierError):
    """The job was not finished by the time it had to be."""

    code = "deadline_exceeded"


class StartRefused(AtelierError):
    """The service must not start like this; the sentence says what to mend.

    `exit_code` is 78 where somebody has to mend it, 75 where trying again may do (sysexits.h).
    """

    def __init__(self, message: str, *, exit_code: int = 78) -> None:
        super().__init__(message)
        self.exit_code = exit_code
