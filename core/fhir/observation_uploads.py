"""Observations that a Bundle creates, as one set (core/fhir/bundle.py)."""

from collections.abc import Sequence

from core.actions.ingest import Kept, Upload, UploadsRefused, ingest
from core.actions.upload_gate import Refusal
from core.fhir.bundle import Answer
from core.fhir.bundle_entries import Entry
from core.fhir.errors import operation_outcome, status_and_issues
from core.fhir.observation_parse import parse
from core.fhir.observation_refusals import located, together
from core.fhir.writes.observation import ACTIVITY
from core.fhir.writes.writer import DOOR
from core.policy.errors import DomainError
from core.policy.principal import Principal
from core.policy.scopes import check_scope


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
