"""Random worlds, and the rows that make one of them true."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from core.actions.narrowings import narrow
from core.actions.observations import NewObservation, record_observations
from core.models import (
    CodeableConcept,
    Narrowing,
    Observation,
    Organization,
    Patient,
    PatientOrganization,
    Practitioner,
    PractitionerOrganization,
    Study,
    StudyPatient,
    StudyPatientScopeConsent,
    StudyScopeRequest,
    User,
)
from core.models.code import OPEN_MHEALTH
from core.policy.principal import Principal
from tests.agreement.oracle import CODES, Limit, World
from tests.bearer import client_of
from tests.personas import principal_of

KINDS = ("omh:blood-glucose:4.0", "omh:heart-rate:2.0", "omh:body-weight:3.0")
READINGS = 2
"""Observations of each patient and kind, whether anybody may see them or not."""

RANDOM_WORLDS = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

ROLES = st.sampled_from(["viewer", "member", "manager"])


def _some(draw: Callable[..., Any], *sides: Any) -> set[tuple[int, ...]]:
    """A random set of pairs, about half of all that could be."""
    return {pair for pair in product(*sides) if draw(st.booleans())}


def _limits(organizations: int, studies: int, patients: int) -> st.SearchStrategy[Limit]:
    """What a token can be narrowed to; studies and organizations that the person does not reach among it."""

    def among(many: int) -> st.SearchStrategy[frozenset[int] | None]:
        return st.none() | (st.frozensets(st.sampled_from(range(many))) if many else st.just(frozenset()))

    limits = st.builds(
        Limit,
        studies=among(studies),
        organizations=among(organizations),
        codes=among(len(CODES)),
        patient=st.none() | st.sampled_from(range(patients)) if patients else st.none(),
    )
    return limits.filter(lambda limit: limit != Limit(None, None, None, None))


@st.composite
def worlds(draw: Callable[..., Any]) -> World:
    organizations = draw(st.integers(1, 3))
    users = draw(st.integers(1, 4))
    studies = {s: draw(st.integers(0, organizations - 1)) for s in range(draw(st.integers(0, 3)))}
    logins = draw(st.permutations(range(users)))
    patients = {p: (logins[p] if p < users and draw(st.booleans()) else None) for p in range(draw(st.integers(0, 3)))}
    requests = _some(draw, studies, CODES)
    limits = {
        user: draw(_limits(organizations, len(studies), len(patients))) for user in range(users) if draw(st.booleans())
    }
    enrolments = _some(draw, studies, patients)
    belonging = {(p, studies[s]) for s, p in enrolments}  # nobody is enrolled who does not belong
    answerable = sorted((s, p, c) for s, p in enrolments for t, c in requests if s == t)
    return World(
        organizations=organizations,
        users=users,
        superusers={u for u in range(users) if draw(st.integers(0, 5)) == 0},
        inactive={u for u in range(users) if draw(st.integers(0, 5)) == 0},
        roles={pair: draw(ROLES) for pair in sorted(_some(draw, range(users), range(organizations)))},
        patients=patients,
        patient_organizations=_some(draw, patients, range(organizations)) | belonging,
        studies=studies,
        requests=requests,
        enrolments=enrolments,
        limits=limits,
        consents={triple: draw(st.booleans()) for triple in answerable if draw(st.integers(0, 3))},
    )


@dataclass
class Rows:
    """The rows of a world, in the order of its numbers."""

    organizations: list[Organization]
    users: list[User]
    patients: list[Patient]
    studies: list[Study]
    codes: list[CodeableConcept]
    narrowings: list[Narrowing | None]
    """What each user's token is narrowed to."""

    def principal(self, user: int) -> Principal:
        return principal_of(self.users[user], self.narrowings[user])

    def client(self, user: int) -> Client:
        """With this user's token on every request."""
        return client_of(self.users[user], narrowing=self.narrowings[user])


def build(world: World) -> Rows:
    empty_the_database()
    make = Organization.objects.bulk_create
    organizations = make(
        [Organization(name=f"Organization {o}", type="laboratory") for o in range(world.organizations)]
    )
    users = User.objects.bulk_create(
        User(
            email=f"user{u}@test.invalid",
            is_superuser=u in world.superusers,
            is_active=u not in world.inactive,
        )
        for u in range(world.users)
    )
    practitioners = Practitioner.objects.bulk_create(Practitioner(user=user) for user in users)
    PractitionerOrganization.objects.bulk_create(
        PractitionerOrganization(practitioner=practitioners[u], organization=organizations[o], role=role)
        for (u, o), role in world.roles.items()
    )
    patients = Patient.objects.bulk_create(
        Patient(name_family=f"Family {p}", name_given="Given", user=None if u is None else users[u])
        for p, u in world.patients.items()
    )
    PatientOrganization.objects.bulk_create(
        PatientOrganization(patient=patients[p], organization=organizations[o]) for p, o in world.patient_organizations
    )
    codes = CodeableConcept.objects.bulk_create(
        CodeableConcept(coding_system=OPEN_MHEALTH, coding_code=kind, text=kind.split(":")[1]) for kind in KINDS
    )
    studies = Study.objects.bulk_create(
        Study(name=f"Study {s}", organization=organizations[o]) for s, o in world.studies.items()
    )
    StudyScopeRequest.objects.bulk_create(
        StudyScopeRequest(study=studies[s], code=codes[c]) for s, c in sorted(world.requests)
    )
    StudyPatient.objects.bulk_create(
        StudyPatient(study=studies[s], patient=patients[p]) for s, p in sorted(world.enrolments)
    )
    StudyPatientScopeConsent.objects.bulk_create(
        StudyPatientScopeConsent(study=studies[s], patient=patients[p], code=codes[c], consented=yes)
        for (s, p, c), yes in world.consents.items()
    )
    readings = [_reading(p, c, n) for p in patients for c in codes for n in range(READINGS)]
    record_observations(actor=None, door="test", activity="test", observations=readings)
    rows = Rows(organizations, users, patients, studies, codes, [])
    rows.narrowings += [_narrowing(rows, user, world.limits.get(number)) for number, user in enumerate(users)]
    return rows


def _narrowing(rows: Rows, user: User, limit: Limit | None) -> Narrowing | None:
    if limit is None:
        return None
    return narrow(
        user,
        studies=None if limit.studies is None else [rows.studies[s].pk for s in limit.studies],
        organizations=None if limit.organizations is None else [rows.organizations[o].pk for o in limit.organizations],
        codes=None if limit.codes is None else {rows.codes[c].pk: "cruds" for c in limit.codes},
        patient=None if limit.patient is None else rows.patients[limit.patient].pk,
    )


def take_a_right_away(world: World, rows: Rows, data: st.DataObject) -> None:
    """Remove a membership, withdraw a consent and let a patient leave an organization: here and in the database."""
    if world.roles:
        user, organization = data.draw(st.sampled_from(sorted(world.roles)))
        del world.roles[user, organization]
        PractitionerOrganization.objects.get(
            practitioner__user=rows.users[user], organization=rows.organizations[organization]
        ).delete()
    given_consents = sorted(key for key, yes in world.consents.items() if yes)
    if given_consents:
        study, patient, code = data.draw(st.sampled_from(given_consents))
        world.consents[study, patient, code] = False
        consents = StudyPatientScopeConsent.objects.filter(
            study=rows.studies[study], patient=rows.patients[patient], code=rows.codes[code]
        )
        assert consents.update(consented=False) == 1
    if world.patient_organizations:
        patient, organization = data.draw(st.sampled_from(sorted(world.patient_organizations)))
        leave(world, patient, organization)
        PatientOrganization.objects.get(
            patient=rows.patients[patient], organization=rows.organizations[organization]
        ).delete()


def leave(world: World, patient: int, organization: int) -> None:
    """A patient leaves an organization, and with it every study that it runs."""
    world.patient_organizations.remove((patient, organization))
    left = {(s, p) for s, p in world.enrolments if p == patient and world.studies[s] == organization}
    world.enrolments -= left
    world.consents = {(s, p, c): yes for (s, p, c), yes in world.consents.items() if (s, p) not in left}


def _reading(patient: Patient, code: CodeableConcept, number: int) -> NewObservation:
    measure = code.coding_code.split(":")[1].replace("-", "_")
    unit = {"blood_glucose": "mg/dL", "heart_rate": "beats/min", "body_weight": "kg"}[measure]
    return NewObservation(
        patient_id=patient.pk,
        code_id=code.pk,
        code=code.coding_code,
        data_point={
            "header": {},
            "body": {
                measure: {"value": 100 + number, "unit": unit},
                "effective_time_frame": {"date_time": f"2026-03-01T08:{5 * number:02}:00Z"},
            },
        },
    )


def empty_the_database() -> None:
    """Every table of the world, in one statement; as the test suite flushes, past the append-only triggers."""
    tables = [model._meta.db_table for model in (Observation, StudyPatientScopeConsent, Organization, User, Patient)]
    tables += ["core_codeableconcept", "core_consenthistory", "core_auditevent"]
    quoted = ", ".join(connection.ops.quote_name(table) for table in tables)
    connection.ops.execute_sql_flush([f"TRUNCATE {quoted} CASCADE"])
