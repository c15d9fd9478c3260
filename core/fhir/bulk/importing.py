"""Carries out an import, a thousand lines at a time, as a batch of creates (core/fhir/bundle.py).

What was recorded and that it is done are kept in one transaction.
"""

import gzip
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from urllib.parse import urlencode

from django.db import transaction
from rest_framework.exceptions import ParseError

from core.actions.bulk import finish
from core.fhir.bulk.job import moved, principal_of
from core.fhir.bulk.manifest import keep_errors
from core.fhir.bundle import Answer, Processor, process
from core.fhir.bundle_entries import Entry
from core.fhir.conditional import create_unless
from core.fhir.errors import InvalidResource, Issue, Resource, operation_outcome, status_and_issues
from core.fhir.media import FhirParser
from core.fhir.observation_uploads import create_observations
from core.fhir.writing import create
from core.models import BulkFile, BulkJob
from core.policy.errors import DomainError
from core.policy.principal import Principal

LINES = 1_000
IMPORTED = ("Patient", "Observation")
RECORDED, KNOWN = "recorded", "known"
_IN_BUNDLE = re.compile(r"Bundle\.entry\[\d+\](\.resource)?")


def keep_lines(job: BulkJob, body: bytes) -> None:
    """What was sent, a thousand lines to a file; its number says which lines."""
    lines = body.splitlines(keepends=True)
    BulkFile.objects.bulk_create(
        BulkFile(
            job=job,
            part=BulkFile.Part.INPUT,
            resource_type="",
            number=number,
            count=len(part),
            content=gzip.compress(b"".join(part), 1),
        )
        for number, part in enumerate((lines[at : at + LINES] for at in range(0, len(lines), LINES)), start=1)
    )


def next_batch(job: BulkJob) -> bool:
    """Import the next thousand lines, or come to the end; false when nothing is left to do.

    `position` is {number, lines, recorded, known, refused}: the file that was done last, and the lines so far.
    """
    before: dict[str, int] = dict.fromkeys(("number", "lines", "recorded", "known", "refused"), 0) | job.position
    file = job.files.filter(part=BulkFile.Part.INPUT, number=before["number"] + 1).first()
    if file is None:
        job.files.filter(part=BulkFile.Part.INPUT).delete()
        finish(door="fhir", job=job)
        return False
    with transaction.atomic():
        answers = dict(_imported(principal_of(job), gzip.decompress(file.content).splitlines(), before["lines"]))
        refused = [answer for answer in answers.values() if isinstance(answer, dict)]
        counts = Counter(answer for answer in answers.values() if isinstance(answer, str))
        after = {
            "number": file.number,
            "lines": before["lines"] + file.count,
            "recorded": before["recorded"] + counts[RECORDED],
            "known": before["known"] + counts[KNOWN],
            "refused": before["refused"] + len(refused),
        }
        if not moved(job, after):
            transaction.set_rollback(True)  # it was given up, or somebody else imports these lines
            return False
        if refused:
            keep_errors(job, number=file.number, outcomes=refused)
    return True


def _imported(principal: Principal, lines: Sequence[bytes], before: int) -> Iterator[tuple[int, str | Resource]]:
    """(number of the line, what it came to): RECORDED, KNOWN, or an OperationOutcome. Empty lines come to nothing."""
    entries: dict[int, Resource] = {}
    for number, line in enumerate(lines, start=before + 1):
        if line.strip():
            try:
                entries[number] = _entry(line)
            except InvalidResource as error:
                yield number, operation_outcome(*(_located(issue, number) for issue in error.issues))
    if not entries:
        return
    batch = {"resourceType": "Bundle", "type": "batch", "entry": list(entries.values())}
    for (number, entry), answer in zip(entries.items(), process(principal, batch, _CREATING)["entry"], strict=True):
        yield number, _answered(number, entry, answer["response"])


def _entry(line: bytes) -> Resource:
    """The entry of a Bundle that creates what a line holds: a patient unless there is one with the identifier."""
    try:
        resource = FhirParser().parse(BytesIO(line))
    except ParseError as error:
        raise InvalidResource(Issue("structure", str(error.detail))) from error
    type_name = resource.get("resourceType") if isinstance(resource, dict) else None
    if type_name not in IMPORTED:
        raise InvalidResource(Issue("not-supported", f"Only {' and '.join(IMPORTED)} are imported."))
    request = {"method": "POST", "url": type_name}
    if type_name == "Patient" and (query := _by_identifier(resource)):
        request["ifNoneExist"] = query
    return {"resource": resource, "request": request}


def _by_identifier(patient: Resource) -> str:
    """The search that finds the patient who has the first identifier; empty where there is none."""
    identifiers = patient.get("identifier")
    first = identifiers[0] if isinstance(identifiers, list) and identifiers else None
    if not isinstance(first, dict) or not all(isinstance(first.get(name), str) for name in ("system", "value")):
        return ""
    return urlencode({"identifier": f"{_escaped(first['system'])}|{_escaped(first['value'])}"})


def _escaped(text: str) -> str:
    """FHIR R5 search.html#escaping."""
    return re.sub(r"([\\,|$])", r"\\\1", text)


def _answered(number: int, entry: Resource, response: Resource) -> str | Resource:
    if "outcome" not in response:
        return RECORDED if response["status"].startswith("201") else KNOWN
    issues = [
        _located(Issue(issue["code"], issue["diagnostics"], issue.get("expression", [""])[0]), number, entry)
        for issue in response["outcome"]["issue"]
    ]
    return operation_outcome(*issues)


def _located(issue: Issue, number: int, entry: Resource | None = None) -> Issue:
    """The issue, with the number of its line, and its place in the resource of that line."""
    type_name = entry["resource"]["resourceType"] if entry else ""
    return Issue(
        issue.code,
        f"Line {number}: {_IN_BUNDLE.sub(type_name, issue.diagnostics)}",
        _IN_BUNDLE.sub(type_name, issue.expression),
    )


def _create_patient(principal: Principal, entry: Entry) -> Answer:
    if entry.if_none_exist:
        return Answer(create_unless(principal, entry.type_name, entry.resource, entry.if_none_exist).status)
    return Answer(create(principal, entry.type_name, entry.resource).status)


def _create_observations(principal: Principal, entries: Sequence[Entry], all_or_nothing: bool) -> dict[int, Answer]:
    """What refuses the set, a missing scope, refuses each of its lines."""
    try:
        return create_observations(principal, entries, all_or_nothing)
    except DomainError as error:
        status, issues = status_and_issues(error)
        return {entry.place: Answer(status, outcome=operation_outcome(*issues)) for entry in entries}


_CREATING = Processor(one=_create_patient, create_observations=_create_observations)
