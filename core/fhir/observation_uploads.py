"""Observations that a Bundle creates, as one set (core/fhir/bundle.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.actions.ingest import DATA_POINT, Kept, Upload, UploadsRefused, ingest
from core.actions.upload_gate import Refusal
from core.fhir.bundle import Answer
from core.fhir.bundle_entries import Entry
from core.fhir.errors import Issue, Refused, operation_outcome, status_and_issues
from core.fhir.observation_parse import parse
from core.policy.errors import DomainError, InvalidInput
from core.policy.principal import Principal
from core.policy.scopes import check_scope

DOOR = "fhir"
ACTIVITY = "create Observation"


def create_observations(principal: Principal, entries: Sequence[Entry], all_or_nothing: bool) -> dict[int, Answer]:
    """The answers by the places of the entries: 201 for what is new, 200 for what was there under its identifier.

    Raises Refused with an issue for each entry that is refused, when that refuses all of them.
    """
    check_scope(principal, "Observation", "c")
    refused: dict[int, DomainError] = {}
    uploads: dict[int, Upload] = {}
    for entry in entries:
        try:
            uploads[entry.place] = parse(entry.resource, at=f"{entry.at}.resource")
        except DomainError as error:
            refused[entry.place] = error
    if all_or_nothing and refused:
        raise together(refused)
    places = list(uploads)
    try:
        outcomes = ingest(
            actor=principal,
            door=DOOR,
            activity=ACTIVITY,
            uploads=list(uploads.values()),
            all_or_nothing=all_or_nothing,
        )
    except UploadsRefused as error:
        raise together(
            {
                places[n]: located(refusal, f"Bundle.entry[{places[n]}].resource")
                for n, refusal in error.refusals.items()
            }
        ) from error
    answers = {place: _answer(place, outcome) for place, outcome in zip(places, outcomes, strict=True)}
    return answers | {place: _refusal(error) for place, error in refused.items()}


def located(refusal: Refusal, at: str = "Observation") -> Refused:
    """A refusal of an upload, whose resource is at `at`. It was well formed, so what is invalid is a rule's: 422."""
    status, issues = status_and_issues(refusal.error)
    element = "valueAttachment" if refusal.element == DATA_POINT else refusal.element
    expression = f"{at}.{element}"
    if isinstance(refusal.error, InvalidInput):
        return Refused(422, [Issue("business-rule", str(refusal.error), expression)])
    return Refused(status, [replace(issue, expression=expression) for issue in issues])


def together(errors: Mapping[int, DomainError]) -> Refused:
    """One refusal for all: the status of the first, the issues of each."""
    found = [status_and_issues(error) for _, error in sorted(errors.items())]
    return Refused(found[0][0], [issue for _, issues in found for issue in issues][:100])


def _answer(place: int, outcome: Kept | Refusal) -> Answer:
    if isinstance(outcome, Refusal):
        return _refusal(located(outcome, f"Bundle.entry[{place}].resource"))
    return Answer(
        201 if outcome.is_new else 200,
        location=f"Observation/{outcome.id}/_history/{outcome.version_id}",
        etag=f'W/"{outcome.version_id}"',
    )


def _refusal(error: DomainError) -> Answer:
    status, issues = status_and_issues(error)
    return Answer(status, outcome=operation_outcome(*issues))
