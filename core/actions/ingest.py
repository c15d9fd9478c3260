"""What apps and practitioners send becomes observations: gate, schemas, record, trail; one or a thousand, as a set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from core.actions.audit import record_access
from core.actions.observations import NewObservation, json_text, record_observations
from core.actions.upload_gate import Refusal, Sending, ask
from core.models import AuditEvent, Observation
from core.open_mhealth import check_data_point
from core.policy.errors import Conflict, DomainError, InvalidInput
from core.policy.principal import Principal
from core.sql import statement

_KNOWN = statement("observations_known")
DATA_POINT = "value"
"""The element of a FHIR Observation that holds the data point."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One observation as it was sent. `data_point` is parsed JSON that nobody has looked at."""

    patient_id: int
    coding_system: str
    coding_code: str
    data_point: Any
    identifiers: tuple[tuple[str, str], ...] = ()
    data_source_id: int | None = None
    status: str = Observation.Status.FINAL
    fhir_extra: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What an upload came to: a new observation, or the one that has its identifier already."""

    id: int
    is_new: bool
    version_id: int = 1


class UploadsRefused(DomainError):  # noqa: N818
    """Of a set that is recorded whole or not at all some were refused; by their place."""

    def __init__(self, refusals: Mapping[int, Refusal]) -> None:
        super().__init__(" ".join(str(refusal.error) for refusal in refusals.values()))
        self.refusals = refusals


def ingest(
    *, actor: Principal, door: str, activity: str, uploads: Sequence[Upload], all_or_nothing: bool
) -> list[Kept | Refusal]:
    """Record what `actor` sends, each upload for itself or all or nothing; the answers are in the order of the uploads.

    What comes again under an identifier of the patient is known, not recorded again, whoever races. Raises
    UploadsRefused, and records nothing, when one of all or nothing is refused. All of it is one row of the audit
    trail; the door leaves that of a refused set.
    """
    with transaction.atomic():
        answers = _accepted(actor, uploads)
        if all_or_nothing:
            _refuse_all_for_one(answers)
        accepted = {place: answer for place, answer in enumerate(answers) if isinstance(answer, NewObservation)}
        kept = _record(actor, door, activity, accepted)
        outcomes = [kept.get(place, answer) for place, answer in enumerate(answers)]
        if all_or_nothing:
            _refuse_all_for_one(outcomes)
        _leave_audit_row(actor, door, activity, uploads, outcomes)
        return [outcome for outcome in outcomes if not isinstance(outcome, NewObservation)]


def _accepted(actor: Principal, uploads: Sequence[Upload]) -> list[NewObservation | Refusal]:
    sendings = [Sending(u.patient_id, u.coding_system, u.coding_code, u.data_source_id) for u in uploads]
    verdicts = ask(actor, dict.fromkeys(sendings))
    now = datetime.now(UTC)
    return [_checked(upload, verdicts[sending], now) for upload, sending in zip(uploads, sendings, strict=True)]


def _checked(upload: Upload, verdict: int | Refusal, now: datetime) -> NewObservation | Refusal:
    if isinstance(verdict, Refusal):
        return verdict
    try:
        time = check_data_point(upload.coding_code, upload.data_point, now=now)
        text = json_text(upload.data_point)
    except InvalidInput as error:
        return Refusal(error, DATA_POINT)
    return NewObservation(
        patient_id=upload.patient_id,
        code_id=verdict,
        code=upload.coding_code,
        data_point=upload.data_point,
        text=text,
        identifiers=upload.identifiers,
        data_source_id=upload.data_source_id,
        status=upload.status,
        time=time,
        fhir_extra=upload.fhir_extra,
    )


def _record(
    actor: Principal, door: str, activity: str, accepted: Mapping[int, NewObservation]
) -> dict[int, Kept | Refusal]:
    places = list(accepted)
    recorded = record_observations(actor=actor, door=door, activity=activity, observations=list(accepted.values()))
    kept: dict[int, Kept | Refusal] = {places[number]: Kept(id_, True) for number, id_ in recorded.items()}
    return kept | _known({place: sent for place, sent in accepted.items() if place not in kept})


def _known(sent: Mapping[int, NewObservation]) -> dict[int, Kept | Refusal]:
    """What was recorded before under the same identifiers. One that names something else is refused."""
    if not sent:
        return {}
    flat = [(place, o.patient_id, *pair) for place, o in sent.items() for pair in o.identifiers]
    columns = zip(*flat, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            _KNOWN, dict(zip(("places", "patient_ids", "systems", "values"), map(list, columns), strict=True))
        )
        found = {place: row for place, *row in cursor.fetchall()}
    return {place: _same(o, found.get(place)) for place, o in sent.items()}


def _same(sent: NewObservation, found: list[int] | None) -> Kept | Refusal:
    if found is None:  # somebody deleted it meanwhile
        return Refusal(Conflict("The identifier was in use until now: send it again."), "identifier")
    id_, code_id, version_id = found
    if code_id != sent.code_id:
        return Refusal(Conflict("The identifier is that of another kind of observation."), "identifier")
    return Kept(id_, False, version_id)


def _refuse_all_for_one(answers: Sequence[object]) -> None:
    refusals = {place: answer for place, answer in enumerate(answers) if isinstance(answer, Refusal)}
    if refusals:
        raise UploadsRefused(refusals)


def _leave_audit_row(
    actor: Principal, door: str, activity: str, uploads: Sequence[Upload], outcomes: Sequence[object]
) -> None:
    """Of what was recorded or known, the patients; if all was refused, those that were asked for."""
    kept = {upload.patient_id for upload, outcome in zip(uploads, outcomes, strict=True) if isinstance(outcome, Kept)}
    refused = sum(isinstance(outcome, Refusal) for outcome in outcomes)
    record_access(
        door=door,
        action=activity,
        outcome=AuditEvent.Outcome.SUCCESS if kept else AuditEvent.Outcome.REFUSED,
        user_id=actor.user_id,
        client_id=actor.client_id,
        token_key=actor.token_key,
        patient_ids=sorted(kept or {upload.patient_id for upload in uploads}),
        source=actor.source,
        detail={"observations": len(outcomes), "refused": refused},
    )
