"""A Bundle that is sent: `batch`, every entry for itself, or `transaction`, all or nothing (FHIR R5
http.html#transaction).

Observations that are created go in as one set, which is what makes a thousand of them cost little.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from django.db import transaction

from core.fhir.bundle_entries import Entry, check_envelope, entry_of
from core.fhir.elements import instant
from core.fhir.errors import (
    InvalidResource,
    Issue,
    Refused,
    Resource,
    Unprocessable,
    operation_outcome,
    status_and_issues,
)
from core.fhir.turns import take_turns
from core.policy.errors import DomainError
from core.policy.principal import Principal


@dataclass(frozen=True, slots=True)
class Answer:
    """What an entry came to: `Bundle.entry.response`, and the resource where one is asked for."""

    status: int
    location: str = ""
    etag: str = ""
    last_modified: Any = None
    resource: Any = None
    outcome: Resource | None = None


@dataclass(frozen=True, slots=True)
class Processor:
    """How entries are carried out. `create_observations` takes a set, and whether one refusal refuses all of it."""

    one: Callable[[Principal, Entry], Answer]
    create_observations: Callable[[Principal, Sequence[Entry], bool], dict[int, Answer]]


def process(principal: Principal, bundle: Any, processor: Processor) -> Resource:
    """The response Bundle, its entries in the order of those sent. Raises what refuses the Bundle as a whole."""
    kind, sent = check_envelope(bundle)
    answers = (_batch if kind == "batch" else _transaction)(principal, sent, processor)
    return {
        "resourceType": "Bundle",
        "type": f"{kind}-response",
        **({"entry": [_rendered(answers[place]) for place in range(len(sent))]} if sent else {}),
    }


def _batch(principal: Principal, sent: Sequence[Any], processor: Processor) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}
    entries = []
    for place, item in enumerate(sent):
        try:
            entries.append(entry_of(item, place))
        except DomainError as error:
            answers[place] = _refusal(error)
    uploads = [entry for entry in entries if _is_upload(entry)]
    if uploads:
        answers |= processor.create_observations(principal, uploads, False)
    for entry in entries:
        if entry.place not in answers:
            try:
                answers[entry.place] = processor.one(principal, entry)
            except DomainError as error:
                answers[entry.place] = _refusal(_located(error, entry))
    return answers


@transaction.atomic
def _transaction(principal: Principal, sent: Sequence[Any], processor: Processor) -> dict[int, Answer]:
    entries = [entry_of(item, place) for place, item in enumerate(sent)]
    _check_each_is_named_once(entries)
    take_turns(entry.type_name for entry in entries if entry.is_conditional)
    answers: dict[int, Answer] = {}
    known: dict[str, str] = {}
    for entry in _in_order(entries):
        resolved = replace(entry, resource=_resolved(entry.resource, known))
        try:
            answers[entry.place] = processor.one(principal, resolved)
        except DomainError as error:
            raise _located(error, entry) from error
        if entry.full_url:
            known[entry.full_url] = _reference_to(answers[entry.place], entry)
    uploads = [replace(e, resource=_resolved(e.resource, known)) for e in entries if _is_upload(e)]
    if uploads:
        answers |= processor.create_observations(principal, uploads, True)
    for entry in entries:
        if entry.method in _READS:
            try:
                answers[entry.place] = processor.one(principal, entry)
            except DomainError as error:
                raise _located(error, entry) from error
    return answers


_READS = ("GET", "HEAD")
_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2}


def _is_upload(entry: Entry) -> bool:
    return entry.method == "POST" and entry.type_name == "Observation" and not (entry.path or entry.if_none_exist)


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    """DELETE, POST, then PUT and PATCH, as the standard has it; what is referred to before what refers to it."""
    changes = [entry for entry in entries if entry.method in _ORDER and not _is_upload(entry)]
    by_url = {entry.full_url: entry for entry in changes if entry.full_url and entry.method == "POST"}
    graph = {
        entry.place: {by_url[url].place for url in _references(entry.resource) if url in by_url} - {entry.place}
        for entry in changes
    }
    try:
        rank = {place: number for number, place in enumerate(TopologicalSorter(graph).static_order())}
    except CycleError:
        raise Unprocessable(
            Issue("not-supported", "Entries refer to each other in a circle: create one of them before.")
        ) from None
    return sorted(changes, key=lambda entry: (_ORDER[entry.method], rank[entry.place]))


def _check_each_is_named_once(entries: Iterable[Entry]) -> None:
    """FHIR R5 http.html#trules: one resource is in a transaction once, and so is a fullUrl."""
    seen: set[str] = set()
    for entry in entries:
        named = f"{entry.type_name}/{entry.path}" if entry.method in ("PUT", "PATCH", "DELETE") else entry.full_url
        if named in seen:
            raise InvalidResource(Issue("duplicate", f"{entry.at} is about {named}, as an entry before is.", entry.at))
        if named:
            seen.add(named)


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _resolved(value: Any, known: dict[str, str]) -> Any:
    """The resource with references to entries of the same transaction replaced by those to what they became."""
    if not known:
        return value
    if isinstance(value, dict):
        return {
            name: known.get(inner, inner) if name == "reference" and isinstance(inner, str) else _resolved(inner, known)
            for name, inner in value.items()
        }
    return [_resolved(inner, known) for inner in value] if isinstance(value, list) else value


def _reference_to(answer: Answer, entry: Entry) -> str:
    return "/".join(answer.location.split("/")[:2]) if answer.location else f"{entry.type_name}/{entry.path}"


def _located(error: DomainError, entry: Entry) -> DomainError:
    """The refusal, with the entry in the expression of each issue."""
    status, issues = status_and_issues(error)
    return Refused(status, [replace(issue, expression=_within(issue.expression, entry)) for issue in issues])


def _within(expression: str, entry: Entry) -> str:
    if expression.startswith("Bundle."):
        return expression
    return entry.inside + expression.removeprefix(entry.type_name) if expression else entry.at


def _refusal(error: DomainError) -> Answer:
    status, issues = status_and_issues(error)
    return Answer(status, outcome=operation_outcome(*issues))


_REASONS = {200: "OK", 201: "Created", 204: "No Content"}


def _rendered(answer: Answer) -> Resource:
    response: Resource = {"status": f"{answer.status} {_REASONS.get(answer.status, '')}".strip()}
    if answer.location:
        response["location"] = answer.location
    if answer.etag:
        response["etag"] = answer.etag
    if answer.last_modified:
        response["lastModified"] = instant(answer.last_modified)
    if answer.outcome:
        response["outcome"] = answer.outcome
    return {"response": response} if answer.resource is None else {"resource": answer.resource, "response": response}
