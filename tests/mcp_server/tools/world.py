"""A small clinic for the tools' tests: one study, its practitioner, and patients who said yes to everything."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from core.actions.observations import NewObservation, record_observations
from core.models import CodeableConcept, Organization, Patient, Study, User
from core.models.code import IEEE_1752
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    MembershipFactory,
    OrganizationFactory,
    PatientFactory,
    StudyFactory,
    UserFactory,
)

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@dataclass
class Clinic:
    organization: Organization = field(default_factory=lambda: OrganizationFactory(name="Lab"))
    glucose: CodeableConcept = field(
        default_factory=lambda: CodeFactory(coding_code="omh:blood-glucose:4.0", text="Blood glucose")
    )
    pressure: CodeableConcept = field(
        default_factory=lambda: CodeFactory(coding_code="omh:blood-pressure:4.0", text="Blood pressure")
    )
    sleep: CodeableConcept = field(
        default_factory=lambda: CodeFactory(
            coding_system=IEEE_1752, coding_code="ieee:sleep-stage-summary:1.0", text="Sleep stage summary"
        )
    )

    def __post_init__(self) -> None:
        self.study: Study = StudyFactory(
            name="Sugar", organization=self.organization, scopes=[self.glucose, self.pressure]
        )
        self.practitioner: User = self.member("viewer")

    def member(self, role: str) -> User:
        membership = MembershipFactory(organization=self.organization, role=role)
        user: User = membership.practitioner.user
        return user

    def patient(self, *, login: bool = False, consents: bool = True, **fields: Any) -> Patient:
        """A patient of the clinic; with `consents`, enrolled in the study and sharing glucose and blood pressure."""
        user = UserFactory() if login else None
        patient: Patient = PatientFactory(organizations=[self.organization], user=user, **fields)
        for code in (self.glucose, self.pressure) if consents else ():
            ConsentFactory(study=self.study, patient=patient, code=code)
        return patient


def glucose(value: float, at: str, *, unit: str = "mg/dL", **body: Any) -> dict[str, Any]:
    measured = {"blood_glucose": {"value": value, "unit": unit}, "effective_time_frame": {"date_time": at}}
    return {"header": {"uuid": "u", "modality": "sensed"}, "body": {**measured, **body}}


def pressure(systolic: int, diastolic: int, at: str) -> dict[str, Any]:
    parts = {
        "systolic_blood_pressure": {"value": systolic, "unit": "mmHg"},
        "diastolic_blood_pressure": {"value": diastolic, "unit": "mmHg"},
        "effective_time_frame": {"date_time": at},
    }
    return {"header": {"uuid": "u"}, "body": parts}


def record(patient: Patient, code: CodeableConcept, *data_points: dict[str, Any]) -> list[int]:
    """Record what senders send; returns the ids, in the order given."""
    new = [NewObservation(patient.pk, code.pk, code.coding_code, data_point) for data_point in data_points]
    recorded = record_observations(actor=None, door="test", activity="test", observations=new)
    return [recorded[place] for place in sorted(recorded)]
