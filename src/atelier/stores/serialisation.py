"""Headers and records as JSON. Reads older schemas; refuses newer ones."""

from __future__ import annotations

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from atelier.errors import StoreUnavailable
from atelier.jobs.models import SCHEMA, Job, Json, Record

_job = TypeAdapter(Job)
_record = TypeAdapter(Record)
_records = TypeAdapter(tuple[Record, ...])


def dump_job(job: Job) -> str:
    """Return the header as JSON."""
    return _job.serializer.to_json(job).decode()


def load_job(text: str) -> Job:
    """Return the header. Raises StoreUnavailable for one written by a newer atelier, or not readable at all."""
    try:
        job = _job.validate_json(text)
    except ValidationError as error:
        raise StoreUnavailable("This job's record cannot be read.") from error
    if job.schema > SCHEMA:
        raise StoreUnavailable("This job was written by a newer version of the service; ask again after the update.")
    return job


def dump_record(record: Record) -> str:
    """Return the record as JSON."""
    return _record.serializer.to_json(record).decode()


def load_records(text: str) -> tuple[Record, ...]:
    """Return the records of a JSON array."""
    return _records.validate_json(text)


def dump_part(part: Json) -> str:
    """Return a part as JSON."""
    return pydantic_core.to_json(part).decode()


def load_part(text: str) -> Json:
    """Return the part."""
    part: Json = pydantic_core.from_json(text)
    return part
