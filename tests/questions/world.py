"""What the database holds, raw, as data frames: the other way to the answers.

Nothing here knows our SQL: data points are read as they were sent (`omh_data`), with their times, units and parts.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.models import (
    AuditEvent,
    Observation,
    Organization,
    Patient,
    PatientIdentifier,
    PatientOrganization,
    PractitionerOrganization,
    Study,
    StudyDataSource,
    StudyPatient,
    StudyPatientScopeConsent,
    StudyScopeRequest,
    User,
)

Frame = pd.DataFrame


@dataclass(frozen=True, eq=False)
class World:
    users: Frame
    """user_id, who (before the @ of the e-mail), person, superuser"""
    organizations: Frame
    """organization_id, organization"""
    members: Frame
    """user_id, organization_id, role"""
    patients: Frame
    """patient_id, user_id, given, name, birth_date, gender"""
    identifiers: Frame
    """patient_id, value"""
    belongs: Frame
    """patient_id, organization_id"""
    studies: Frame
    """study_id, study, description, organization_id"""
    scopes: Frame
    """study_id, code: what studies ask for"""
    sources: Frame
    """study_id, source: what sends to studies"""
    enrolments: Frame
    """study_id, patient_id"""
    consents: Frame
    """study_id, patient_id, code, consented"""
    points: Frame
    """observation_id, patient_id, code, status, time and end (as sent), utc, local, day, value and unit where there is
    one number, systolic, diastolic, body (without the time)"""


def read_world() -> World:
    return World(
        users=_frame(
            User.objects, user_id="id", email="email", given="first_name", family="last_name", superuser="is_superuser"
        ).assign(
            who=lambda users: users.email.str.split("@").str[0], person=lambda users: users.given + " " + users.family
        ),
        organizations=_frame(Organization.objects, organization_id="id", organization="name"),
        members=_frame(
            PractitionerOrganization.objects,
            user_id="practitioner__user_id",
            organization_id="organization_id",
            role="role",
        ),
        patients=_frame(
            Patient.objects,
            patient_id="id",
            user_id="user_id",
            given="name_given",
            family="name_family",
            birth_date="birth_date",
            gender="gender",
        ).assign(name=lambda people: people.given + " " + people.family),
        identifiers=_frame(PatientIdentifier.objects, patient_id="patient_id", value="value"),
        belongs=_frame(PatientOrganization.objects, patient_id="patient_id", organization_id="organization_id"),
        studies=_frame(
            Study.objects, study_id="id", study="name", description="description", organization_id="organization_id"
        ),
        scopes=_frame(StudyScopeRequest.objects, study_id="study_id", code="code__coding_code"),
        sources=_frame(StudyDataSource.objects, study_id="study_id", source="data_source__name"),
        enrolments=_frame(StudyPatient.objects, study_id="study_id", patient_id="patient_id"),
        consents=_frame(
            StudyPatientScopeConsent.objects,
            study_id="study_id",
            patient_id="patient_id",
            code="code__coding_code",
            consented="consented",
        ),
        points=_points(),
    )


def accesses(patient_id: int, user_id: int | None) -> Frame:
    """What the trail has of a patient, and of one user, newest first. Read afresh: every question adds to it."""
    trail = AuditEvent.objects.filter(patient_ids__contains=[patient_id]).order_by("-id")
    if user_id is not None:
        trail = trail.filter(user_id=user_id)
    columns = ("user_id", "door", "action", "outcome")
    return Frame.from_records(list(trail.values_list(*columns)), columns=list(columns))


def _frame(rows: Any, **columns: str) -> Frame:
    return Frame.from_records(list(rows.order_by("id").values_list(*columns.values())), columns=list(columns))


def _points() -> Frame:
    rows = Observation.objects.order_by("id").values_list("id", "patient_id", "code__coding_code", "status", "omh_data")
    records = [_record(*row) for row in rows.iterator(chunk_size=10_000)]
    points = Frame.from_records(records).astype({"value": float, "systolic": float, "diastolic": float})
    points["utc"] = pd.to_datetime(points.time, utc=True, format="ISO8601")
    points["local"] = pd.to_datetime(points.time.str[:19], format="%Y-%m-%dT%H:%M:%S")  # the clock on the wall
    points["day"] = points.local.dt.normalize()
    return points


def _record(observation_id: int, patient_id: int, code: str, status: str, point: dict[str, Any]) -> dict[str, Any]:
    body = point["body"]
    frame = body["effective_time_frame"]
    period = frame.get("time_interval", {})
    measure = body.get(code.split(":")[1].replace("-", "_"), {})
    return {
        "observation_id": observation_id,
        "patient_id": patient_id,
        "code": code,
        "status": status,
        "time": frame.get("date_time") or period["start_date_time"],
        "end": period.get("end_date_time"),
        "value": measure.get("value"),
        "unit": measure.get("unit", ""),
        "systolic": body.get("systolic_blood_pressure", {}).get("value"),
        "diastolic": body.get("diastolic_blood_pressure", {}).get("value"),
        "body": {name: part for name, part in body.items() if name != "effective_time_frame"},
    }
