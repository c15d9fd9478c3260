"""Changing and deleting one observation. What it was stays in its history."""

from datetime import UTC, datetime

from django.db import IntegrityError, transaction

from core.actions.acting import acting, record_write
from core.actions.ingest import DATA_POINT, Upload, UploadsRefused
from core.actions.observations import json_text
from core.actions.scope_codes import check_told_kind
from core.actions.upload_gate import Refusal, Sending, ask
from core.models import Observation, ObservationIdentifier
from core.open_mhealth import TimeFrame, check_data_point, scalar
from core.policy.errors import Conflict, InvalidInput, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal


def update_observation(*, actor: Principal, door: str, observation: Observation, upload: Upload) -> None:
    """Put what is sent in place of what is there: the same gate and schemas as for a new one.

    Raises UploadsRefused. An observation keeps its patient and its kind.
    """
    sending = Sending(upload.patient_id, upload.coding_system, upload.coding_code, upload.data_source_id)
    verdict = ask(actor, [sending], interaction="u")[sending]
    if isinstance(verdict, Refusal):
        raise UploadsRefused({0: verdict})
    if (upload.patient_id, verdict) != (observation.patient_id, observation.code_id):
        sentence = "An observation keeps its patient and its code: delete it and send another."
        element = "code" if upload.patient_id == observation.patient_id else "subject"
        raise UploadsRefused({0: Refusal(InvalidInput(sentence), element)})
    time = _checked(upload)
    with acting(actor, door=door):
        _write(observation, upload, time)
        _name(observation, upload)
        record_write(actor, door=door, action="update Observation", patient_ids=[observation.patient_id])


def delete_observation(*, actor: Principal, door: str, observation: Observation) -> None:
    """For the patient, and for whose role includes sending it. Raises PermissionDenied and InsufficientScope."""
    check_told_kind(actor, observation.code, "d")
    writable = Observation.objects.visible_to(actor, Permission.OBSERVATION_WRITE)
    if not writable.filter(pk=observation.pk).exists():
        raise PermissionDenied(f"Your role does not include changing data of Patient {observation.patient_id}.")
    with acting(actor, door=door):
        record_write(actor, door=door, action="delete Observation", patient_ids=[observation.patient_id])
        observation.delete()


def _checked(upload: Upload) -> TimeFrame:
    try:
        json_text(upload.data_point)
        return check_data_point(upload.coding_code, upload.data_point, now=datetime.now(UTC))
    except InvalidInput as error:
        raise UploadsRefused({0: Refusal(error, DATA_POINT)}) from error


def _write(observation: Observation, upload: Upload, time: TimeFrame) -> None:
    quantity = scalar(upload.coding_code, upload.data_point["body"])
    observation.omh_data = upload.data_point
    observation.status = upload.status
    observation.data_source_id = upload.data_source_id
    observation.effective_start = time.start
    observation.effective_end = time.end
    observation.utc_offset_minutes = time.utc_offset_minutes
    observation.value_quantity = quantity.value if quantity else None
    observation.value_unit = quantity.unit if quantity else ""
    observation.fhir_extra = upload.fhir_extra
    observation.save()


def _name(observation: Observation, upload: Upload) -> None:
    """Its identifiers are those that were sent."""
    named = set(observation.identifiers.values_list("system", "value"))
    wanted = set(upload.identifiers)
    for system, value in named - wanted:
        observation.identifiers.filter(system=system, value=value).delete()
    new = [
        ObservationIdentifier(observation=observation, patient_id=observation.patient_id, system=system, value=value)
        for system, value in sorted(wanted - named)
    ]
    try:
        with transaction.atomic():
            ObservationIdentifier.objects.bulk_create(new)
    except IntegrityError as error:
        refusal = Refusal(Conflict("An identifier is that of another observation of the patient."), "identifier")
        raise UploadsRefused({0: refusal}) from error
