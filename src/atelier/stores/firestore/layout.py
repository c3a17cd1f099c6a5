"""Where everything lies: collections, and names that Firestore takes whatever a caller calls a thing."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from google.cloud.firestore_v1 import AsyncClient, AsyncCollectionReference, AsyncDocumentReference, DocumentSnapshot

Found = DocumentSnapshot[AsyncDocumentReference]
"""A document as it was read."""

JOBS, RECORDS, PARTS, DOCUMENTS = "jobs", "records", "parts", "documents"

LONGEST = 500
"""Longest name that is kept as it is; Firestore's own limit is 1,500 bytes."""


class Layout:
    """The places of one database.

    `jobs/{id}` is a header, `jobs/{id}/records/{number}` its log, `jobs/{id}/parts/{key}` what is kept beside it;
    `documents/{kind~name}` is what is no job.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.jobs: AsyncCollectionReference = client.collection(JOBS)
        self.documents: AsyncCollectionReference = client.collection(DOCUMENTS)

    def job(self, job_id: str) -> AsyncDocumentReference:
        """Return where a job's header is."""
        return self.jobs.document(escaped(job_id))

    def records(self, job_id: str, first: int, last: int) -> list[AsyncDocumentReference]:
        """Return where the records of these numbers are, both ends included."""
        lines = self.job(job_id).collection(RECORDS)
        return [lines.document(f"{seq:012d}") for seq in range(first, last + 1)]

    def parts(self, job_id: str) -> AsyncCollectionReference:
        """Return where everything is that is kept beside a header."""
        beside: AsyncCollectionReference = self.job(job_id).collection(PARTS)
        return beside

    def document(self, kind: str, name: str) -> AsyncDocumentReference:
        """Return where a document is that is no job."""
        return self.documents.document(f"{kind}~{escaped(name)}")


def escaped(name: str) -> str:
    """Return a name as one that may stand in a path; different names stay different."""
    safe = quote(name, safe="", errors="surrogatepass").replace("~", "%7E").replace(".", "%2E")
    if len(safe) > LONGEST or safe.startswith("__") or not safe:
        return "~" + hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    return safe
