"""What an export holds of each type, and what of it is handed out: rights are asked for both times."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress
from types import MappingProxyType
from typing import Any, Protocol

import orjson
from django.db.models import Max, Q, QuerySet

from core.fhir.observation_render import render
from core.fhir.registry import TYPES
from core.models import BulkFile, BulkJob, Observation, StudyPatient
from core.models.observation_export import read_after, still_readable
from core.models.observation_pages import Row
from core.policy.principal import Principal

MOST_BYTES = 8 * 2**20
"""Of a file before it is compressed, but for the one line that passes it."""
GZIP = 31
"""Of zlib: the largest window, and the header of gzip (RFC 1952)."""
GZIP_LEVEL = 1
"""Ten times smaller already, and faster than the database is."""


@dataclass(frozen=True, slots=True)
class HandedOut:
    """NDJSON, as gzip where `is_gzip`, and whose data it is."""

    body: bytes
    patient_ids: set[int]
    is_gzip: bool = False


class Contents(Protocol):
    """The rows of one type."""

    def newest_key(self, principal: Principal) -> int:
        """The last row that there is, whoever may read it."""

    def next_file(self, principal: Principal, job: BulkJob, *, after: int, upto: int) -> BulkFile | None:
        """The next rows by key, after one and up to another, that may be read at this moment; None at the end."""

    def handed_out(self, principal: Principal, file: BulkFile, *, gzip_accepted: bool) -> HandedOut:
        """What may be read of a file at this moment."""


class Observations:
    """Kept as they were exported. A study's are those that reach the caller through it."""

    LINES = 5_000

    def newest_key(self, principal: Principal) -> int:
        return Observation.objects.aggregate(newest=Max("pk"))["newest"] or 0

    def next_file(self, principal: Principal, job: BulkJob, *, after: int, upto: int) -> BulkFile | None:
        with ThreadPoolExecutor(1) as beside:
            made = _Lines(beside)
            read_after(
                principal,
                made.take,
                after=after,
                upto=upto,
                limit=self.LINES,
                since=job.since,
                study_id=job.study_id,
            )
            return made.file() if made.keys else None

    def handed_out(self, principal: Principal, file: BulkFile, *, gzip_accepted: bool) -> HandedOut:
        readable = still_readable(principal, file.keys, study_id=file.job.study_id)
        patient_ids = set(readable.values())
        if gzip_accepted and len(readable) == len(file.keys):
            return HandedOut(bytes(file.content), patient_ids, is_gzip=True)
        lines = gzip.decompress(file.content).splitlines(keepends=True)
        return HandedOut(b"".join(compress(lines, (key in readable for key in file.keys))), patient_ids)


class _Lines:
    """Observations as gzip of NDJSON, which another thread compresses while the next ones are read and rendered."""

    def __init__(self, beside: Executor) -> None:
        self.keys: list[int] = []
        self._patient_ids: set[int] = set()
        self._size = 0
        self._gzip = zlib.compressobj(GZIP_LEVEL, wbits=GZIP)
        self._beside = beside
        self._parts: list[Future[bytes]] = []

    def take(self, rows: list[Row]) -> bool:
        """Whether they are enough for a file."""
        self.keys += [row.id for row in rows]
        self._patient_ids.update(row.patient_id for row in rows)
        text = b"".join(orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE) for resource in render(rows))
        self._size += len(text)
        self._parts.append(self._beside.submit(self._gzip.compress, text))
        return self._size > MOST_BYTES

    def file(self) -> BulkFile:
        parts = [*self._parts, self._beside.submit(self._gzip.flush)]
        content = b"".join(part.result() for part in parts)
        return BulkFile(keys=self.keys, patient_ids=sorted(self._patient_ids), content=content)


class Resources:
    """A type that there are not so many of. It is rendered when it is handed out: what it says of others, as a Group
    does of its members, then follows the rights of that moment too."""

    LINES = 1_000

    def __init__(self, name: str) -> None:
        self._type = TYPES[name]

    def newest_key(self, principal: Principal) -> int:
        model = self._type.visible_to(principal).model
        return model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0

    def next_file(self, principal: Principal, job: BulkJob, *, after: int, upto: int) -> BulkFile | None:
        rows = self._readable(principal, job).filter(pk__gt=after, pk__lte=upto)
        if job.since:
            rows = rows.filter(**{f"{self._type.updated}__gt": job.since})
        keys = list(rows.order_by("pk").values_list("pk", flat=True)[: self.LINES])
        return BulkFile(keys=keys) if keys else None

    def handed_out(self, principal: Principal, file: BulkFile, *, gzip_accepted: bool) -> HandedOut:
        readable = self._readable(principal, file.job).filter(pk__in=file.keys).order_by("pk")
        rows = list(self._type.fetched(readable))
        resources = self._type.render(rows, principal)
        body = b"".join(orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE) for resource in resources)
        return HandedOut(body, {patient_id for row in rows for patient_id in self._type.patient_ids(row)})

    def _readable(self, principal: Principal, job: BulkJob) -> QuerySet[Any]:
        rows = self._type.visible_to(principal)
        return rows if job.study_id is None else rows.filter(OF_A_STUDY[self._type.name](principal, job.study_id))


def _participants(principal: Principal, study_id: int) -> Q:
    enrolled = StudyPatient.objects.visible_to(principal).filter(study=study_id)
    return Q(pk__in=enrolled.values("patient"))


OF_A_STUDY: Mapping[str, Callable[[Principal, int], Q]] = MappingProxyType(
    {
        "Group": lambda _, study_id: Q(pk=study_id),
        "ResearchStudy": lambda _, study_id: Q(pk=study_id),
        "Organization": lambda _, study_id: Q(studies=study_id),
        "Device": lambda _, study_id: Q(study_links__study=study_id),
        "Patient": _participants,
        "Consent": lambda _, study_id: Q(study=study_id),
    }
)
"""What belongs to a study, of each type that a Group's export has beside its observations."""


def contents_of(type_name: str) -> Contents:
    return Observations() if type_name == "Observation" else Resources(type_name)
