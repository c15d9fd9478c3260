"""Readings of a CGM file become observations of a study's patients."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from core.actions.acting import record_write
from core.actions.consents import record_consents
from core.actions.enrolment import enrol
from core.actions.observations import NewObservation, record_observations
from core.actions.patients import register_patient
from core.importers import BLOOD_GLUCOSE, BadRow, Reading, data_point
from core.models import CodeableConcept, PatientIdentifier, Study, StudyPatientScopeConsent
from core.models.code import OPEN_MHEALTH
from core.policy.errors import InvalidInput

DOOR = "import"
ACTIVITY = "import_cgm"
UUIDS = "urn:ietf:rfc:3986"
"""The system of identifiers that are `urn:uuid:…`, as FHIR R5 writes a UUID."""


@dataclass(frozen=True, slots=True)
class Recorded:
    recorded: int = 0
    known: int = 0
    """Readings that were there already."""
    refused: list[BadRow] = field(default_factory=list)
    new_patients: int = 0


def glucose_of(study: Study) -> CodeableConcept:
    """Blood glucose, if the study asks its patients for it. Raises InvalidInput."""
    code = study.scopes.filter(coding_system=OPEN_MHEALTH, coding_code=BLOOD_GLUCOSE).first()
    if code is None:
        raise InvalidInput(
            f"Study {study.pk} does not request blood glucose ({BLOOD_GLUCOSE}): add it to the study's scopes first."
        )
    return code


def subject_system(study: Study) -> str:
    """The identifier system of the names that this study's files give to people: in another study they mean nothing."""
    return f"urn:jhe:study:{study.pk}:subject"


@transaction.atomic
def record_readings(
    *, study: Study, code: CodeableConcept, identifier_system: str, readings: Sequence[Reading], create_patients: bool
) -> Recorded:
    """Record a batch, once each. Whose readings they are says an identifier in `identifier_system`.

    Only for patients who consent to blood glucose in the study. `create_patients` makes a patient of the study's
    organization of everybody not known yet, enrolled and with that consent; nobody's answer is ever changed.
    """
    subjects = {reading.subject for reading in readings}
    if create_patients:
        Study.objects.select_for_update().get(pk=study.pk)  # one import at a time makes people
    patients = _patients(identifier_system, subjects)
    newcomers = sorted(subjects - patients.keys()) if create_patients else []
    for subject in newcomers:
        _create_patient(study, code, identifier_system, subject)
    if newcomers:
        patients = _patients(identifier_system, subjects)
    consenting = set(
        StudyPatientScopeConsent.objects.filter(
            study=study, code=code, patient__in=patients.values(), consented=True
        ).values_list("patient_id", flat=True)
    )
    accepted, refused = [], []
    for reading in readings:
        patient_id = patients.get(reading.subject)
        if patient_id is None:
            reason = f"'{reading.subject}' is no patient's identifier in {identifier_system}"
            refused.append(BadRow(reading.line, reason))
        elif patient_id not in consenting:
            reason = f"patient {patient_id} has not consented to blood glucose in study {study.pk}"
            refused.append(BadRow(reading.line, reason))
        else:
            accepted.append(_observation(patient_id, code, identifier_system, reading))
    recorded = record_observations(actor=None, door=DOOR, activity=ACTIVITY, observations=accepted)
    if accepted:
        record_write(
            None,
            door=DOOR,
            action=ACTIVITY,
            study_id=study.pk,
            patient_ids=sorted({observation.patient_id for observation in accepted}),
        )
    return Recorded(len(recorded), len(accepted) - len(recorded), refused, len(newcomers))


def _patients(identifier_system: str, subjects: Collection[str]) -> dict[str, int]:
    known = PatientIdentifier.objects.filter(system=identifier_system, value__in=subjects)
    return dict(known.values_list("value", "patient_id"))


def _create_patient(study: Study, code: CodeableConcept, identifier_system: str, subject: str) -> None:
    patient = register_patient(
        actor=None,
        door=DOOR,
        organizations=[study.organization],
        # The file decides what follows. Alone, something like =1+1 would be a formula in a table of names.
        name_given="Study",
        name_family=f"Subject {subject}",
        identifiers=[(identifier_system, subject)],
    )
    enrol(actor=None, door=DOOR, patient=patient, study=study)
    record_consents(actor=None, door=DOOR, patient=patient, study=study, answers={code.pk: True})


def _observation(patient_id: int, code: CodeableConcept, identifier_system: str, reading: Reading) -> NewObservation:
    point = data_point(reading, identifier_system=identifier_system)
    return NewObservation(
        patient_id=patient_id,
        code_id=code.pk,
        code=code.coding_code,
        data_point=point,
        identifiers=((UUIDS, f"urn:uuid:{point['header']['uuid']}"),),
    )
