"""What a resource was: a version for each change on every path, one per transaction, kept for ever."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import InternalError, ProgrammingError, connection, transaction

from core.actions.acting import acting
from core.actions.observations import NewObservation, record_observations
from core.models import (
    DataSourceSupportedScope,
    Observation,
    ObservationIdentifier,
    Organization,
    Patient,
    PatientIdentifier,
    PatientOrganization,
    PractitionerOrganization,
    ResourceHistory,
    StudyDataSource,
    StudyScopeRequest,
)
from core.policy.principal import Principal, UserType
from tests.factories import (
    CodeFactory,
    DataSourceFactory,
    MembershipFactory,
    ObservationFactory,
    ObservationIdentifierFactory,
    OrganizationFactory,
    PatientFactory,
    PatientIdentifierFactory,
    PractitionerFactory,
    StudyFactory,
)
from tests.versions import settle

pytestmark = pytest.mark.django_db


def sql(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def versions(resource):
    """(version, whether it is the deletion) of all that ended, oldest first."""
    kept = ResourceHistory.objects.filter(resource_type=type(resource).__name__, resource_id=resource.pk)
    return [(row.version_id, row.is_deletion) for row in kept.order_by("version_id")]


def former(resource):
    """The version before this one."""
    row = ResourceHistory.objects.get(
        resource_type=type(resource).__name__, resource_id=resource.pk, version_id=resource.version_id - 1
    )
    return row.as_instance()


def test_a_new_resource_is_its_first_version_and_has_no_history():
    patient = PatientFactory()
    assert (patient.version_id, versions(patient)) == (1, [])


def test_a_saved_change_is_a_new_version_and_what_was_is_kept():
    patient = PatientFactory(name_family="Before")
    settle()
    began = patient.last_updated
    patient.name_family = "After"
    patient.save()
    assert patient.version_id == 2
    assert patient.last_updated > began
    kept = ResourceHistory.objects.get()
    assert (kept.version_id, kept.last_updated, kept.ended_at) == (1, began, patient.last_updated)
    was = former(patient)
    assert (was.pk, was.version_id, was.last_updated) == (patient.pk, 1, began)
    assert (was.name_family, was.birth_date) == ("Before", date(1980, 5, 17))


@pytest.mark.parametrize(
    "change",
    [
        lambda patient: Patient.objects.filter(pk=patient.pk).update(name_family="After"),
        lambda patient: Patient.objects.bulk_update([Patient(pk=patient.pk, name_family="After")], ["name_family"]),
        lambda patient: sql("UPDATE core_patient SET name_family = 'After' WHERE id = %s", patient.pk),
        lambda _: sql("UPDATE core_patient SET name_family = 'After', version_id = 9, last_updated = 'epoch'"),
    ],
    ids=["queryset", "bulk", "psql", "psql that lies about the version"],
)
def test_no_path_goes_by_the_history(change):
    patient = PatientFactory(name_family="Before")
    settle()
    change(patient)
    began = patient.last_updated
    patient.refresh_from_db()
    assert (patient.name_family, patient.version_id) == ("After", 2)
    assert patient.last_updated > began
    assert former(patient).name_family == "Before"


def test_every_kind_of_resource_has_versions():
    membership, source, observation = MembershipFactory(role="viewer"), DataSourceFactory(), ObservationFactory()
    study = StudyFactory()
    settle()
    for resource, change in [
        (membership, {"role": "manager"}),
        (membership.practitioner, {"name_given": "Other"}),
        (membership.organization, {"name": "Other"}),
        (source, {"name": "Other"}),
        (study, {"name": "Other"}),
        (observation, {"status": "amended"}),
        (observation.patient, {"gender": "other"}),
    ]:
        type(resource).objects.filter(pk=resource.pk).update(**change)
        resource.refresh_from_db()
        assert resource.version_id == 2
        was = former(resource)
        assert type(was) is type(resource)
        ((name, value),) = change.items()
        assert getattr(was, name) != getattr(resource, name) == value


def test_a_save_that_changes_nothing_is_no_version():
    identifier = PatientIdentifierFactory()
    settle()
    identifier.save()
    identifier.patient.save()
    Patient.objects.update(name_family=identifier.patient.name_family)
    assert (identifier.patient.version_id, versions(identifier.patient)) == (1, [])


def test_a_number_written_with_another_precision_is_a_change():
    observation = ObservationFactory(omh_data={"body": {"value": 1}})
    settle()
    sql("""UPDATE core_observation SET omh_data = '{"body": {"value": 1.0}}'""")
    observation.refresh_from_db()
    assert observation.version_id == 2


def test_what_one_transaction_changes_is_one_version():
    patient = PatientFactory(name_family="Before")
    settle()
    with transaction.atomic():
        patient.name_family = "Between"
        patient.save()
        with transaction.atomic():
            PatientIdentifierFactory(patient=patient, value="A-1")
        patient.name_family = "After"
        patient.save()
    assert (patient.version_id, versions(patient)) == (2, [(1, False)])
    was = former(patient)
    assert (was.name_family, list(was.identifiers.all())) == ("Before", [])


def test_a_resource_made_with_its_parts_in_one_transaction_is_one_version():
    patient = PatientFactory(organizations=[OrganizationFactory()])
    PatientIdentifierFactory(patient=patient)
    PatientIdentifierFactory(patient=patient)
    patient.refresh_from_db()
    assert (patient.version_id, versions(patient)) == (1, [])


def test_a_change_that_is_rolled_back_leaves_nothing():
    patient = PatientFactory()
    settle()
    with transaction.atomic():
        patient.name_family = "Never"
        patient.save()
        transaction.set_rollback(True)
    patient.refresh_from_db()
    assert (patient.version_id, versions(patient)) == (1, [])
    patient.name_family = "After"
    patient.save()
    assert (patient.version_id, versions(patient)) == (2, [(1, False)])


@pytest.mark.django_db(transaction=True)
def test_transactions_of_their_own_make_versions_of_their_own():
    patient = PatientFactory(name_family="First")
    for name in ("Second", "Third"):
        patient.name_family = name
        patient.save()
    assert (patient.version_id, former(patient).name_family) == (3, "Second")
    patient.delete()
    assert [row.is_deletion for row in ResourceHistory.objects.order_by("version_id")] == [False, False, False, True]


@pytest.mark.django_db(transaction=True)
def test_changes_at_the_same_time_are_versions_of_their_own_in_the_order_of_time():
    patient = PatientFactory(name_family="0")

    def change(turn):
        try:
            with transaction.atomic():
                Patient.objects.exists()  # the transaction has begun, in whatever order
                Patient.objects.filter(pk=patient.pk).update(name_family=str(turn))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(change, range(1, 17)))
    patient.refresh_from_db()
    rows = list(ResourceHistory.objects.order_by("version_id"))
    assert [row.version_id for row in rows] == list(range(1, 17))
    assert patient.version_id == 17
    instants = [row.last_updated for row in rows] + [patient.last_updated]
    assert instants == sorted(set(instants))
    assert [row.ended_at for row in rows] == instants[1:]
    names = {row.as_instance().name_family for row in rows} | {patient.name_family}
    assert names == {str(turn) for turn in range(17)}


def part_of_patient():
    return PatientIdentifierFactory(value="A-1").patient, "identifiers"


def organization_of_patient():
    return PatientFactory(organizations=[OrganizationFactory()]), "patient_organizations"


def scope_of_study():
    return StudyFactory(scopes=[CodeFactory()]), "scope_requests"


def data_source_of_study():
    study = StudyFactory()
    StudyDataSource.objects.create(study=study, data_source=DataSourceFactory())
    return study, "data_source_links"


def scope_of_data_source():
    source = DataSourceFactory()
    DataSourceSupportedScope.objects.create(data_source=source, code=CodeFactory())
    return source, "scope_links"


def identifier_of_observation():
    return ObservationIdentifierFactory().observation, "identifiers"


PARTS = [
    part_of_patient,
    organization_of_patient,
    scope_of_study,
    data_source_of_study,
    scope_of_data_source,
    identifier_of_observation,
]


@pytest.mark.parametrize("make", PARTS, ids=lambda make: make.__name__)
def test_taking_a_part_away_is_a_new_version_of_what_it_belongs_to(make):
    resource, parts = make()
    (part,) = getattr(resource, parts).all()
    settle()
    getattr(resource, parts).all().delete()
    resource.refresh_from_db()
    assert resource.version_id == 2
    (was,) = getattr(former(resource), parts).all()
    assert (type(was), was.pk) == (type(part), part.pk)


@pytest.mark.parametrize("make", PARTS, ids=lambda make: make.__name__)
def test_adding_a_part_is_a_new_version_of_what_it_belongs_to(make):
    resource, parts = make()
    part = getattr(resource, parts).get()
    part.delete()
    settle()
    part.pk = None
    type(part).objects.bulk_create([part])
    resource.refresh_from_db()
    assert resource.version_id == 2
    assert list(getattr(former(resource), parts).all()) == []


@pytest.mark.parametrize("make", PARTS, ids=lambda make: make.__name__)
def test_adding_a_part_that_is_there_already_is_no_version(make):
    resource, parts = make()
    part = getattr(resource, parts).get()
    settle()
    part.pk = None
    type(part).objects.bulk_create([part], ignore_conflicts=True)
    resource.refresh_from_db()
    assert (resource.version_id, versions(resource)) == (1, [])


def test_a_part_that_moves_changes_both_that_had_it_and_that_has_it():
    identifier, other = PatientIdentifierFactory(), PatientFactory()
    settle()
    PatientIdentifier.objects.update(patient=other)
    assert list(Patient.objects.order_by("pk").values_list("version_id", flat=True)) == [2, 2]
    assert [part.pk for part in former(Patient.objects.get(pk=identifier.patient_id)).identifiers.all()] == [
        identifier.pk
    ]


def test_a_changed_part_is_kept_as_it_was():
    identifier = PatientIdentifierFactory(value="Before")
    settle()
    PatientIdentifier.objects.update(value="After")
    patient = Patient.objects.get()
    assert [part.value for part in former(patient).identifiers.all()] == ["Before"]
    assert [part.value for part in patient.identifiers.all()] == ["After"]
    assert former(patient).identifiers.all()[0].patient.version_id == 1
    assert identifier.patient_id == patient.pk


def test_what_a_former_version_links_to_is_what_it_linked_to_then():
    first, second = OrganizationFactory(), OrganizationFactory()
    patient = PatientFactory(organizations=[first])
    study = StudyFactory(scopes=[CodeFactory(coding_code="omh:heart-rate:2.0")])
    settle()
    PatientOrganization.objects.update(organization=second)
    StudyScopeRequest.objects.all().delete()
    patient.refresh_from_db()
    study.refresh_from_db()
    assert list(former(patient).organizations.all()) == [first]
    assert [code.coding_code for code in former(study).scopes.all()] == ["omh:heart-rate:2.0"]
    assert list(patient.organizations.all()) == [second]


def test_deletion_is_a_version_of_its_own_without_a_state():
    patient = PatientIdentifierFactory(value="A-1").patient
    settle()
    sql("DELETE FROM core_patientidentifier")
    settle()
    sql("DELETE FROM core_patient")
    assert versions(patient) == [(1, False), (2, False), (3, True)]
    deletion = ResourceHistory.objects.get(version_id=3)
    assert deletion.last_updated == deletion.ended_at == ResourceHistory.objects.get(version_id=2).ended_at
    assert deletion.patient_id == patient.pk
    with pytest.raises(ValueError, match="is a deletion"):
        deletion.as_instance()


def test_deleting_a_resource_with_its_parts_keeps_it_whole_and_makes_no_versions_between():
    patient = PatientFactory(organizations=[OrganizationFactory()])
    PatientIdentifierFactory(patient=patient, value="A-1")
    observation = ObservationIdentifierFactory(observation__patient=patient).observation
    settle()
    Patient.objects.get().delete()
    for gone in (patient, observation):
        assert versions(gone) == [(1, False), (2, True)]
    was = ResourceHistory.objects.get(resource_type="Patient", version_id=1).as_instance()
    assert [part.value for part in was.identifiers.all()] == ["A-1"]
    assert len(was.patient_organizations.all()) == 1


def test_what_was_made_and_deleted_in_one_transaction_never_was():
    patient = PatientIdentifierFactory().patient
    patient.delete()
    assert not ResourceHistory.objects.exists()


def test_an_id_that_comes_back_goes_on_counting():
    root = OrganizationFactory(pk=0)
    settle()
    Organization.objects.all().delete()
    again = Organization.objects.create(pk=0, name=root.name, type=root.type)
    assert again.version_id == 3
    settle()
    again.name = "After"
    again.save()
    assert versions(again) == [(1, False), (2, True), (3, False)]


def test_history_says_who_ended_a_version():
    patient = PatientFactory()
    settle()
    with acting(Principal(user_id=7, user_type=UserType.PRACTITIONER, client_id="an-app"), door="fhir"):
        patient.name_family = "After"
        patient.save()
    kept = ResourceHistory.objects.get()
    assert (kept.user_id, kept.client_id) == (7, "an-app")
    settle()
    Patient.objects.update(name_family="By hand")
    by_hand = ResourceHistory.objects.get(version_id=2)
    assert (by_hand.user_id, by_hand.client_id) == (None, "")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core_resourcehistory SET version_id = 9",
        "DELETE FROM core_resourcehistory",
        "TRUNCATE core_resourcehistory",
    ],
)
def test_nobody_changes_history(change):
    patient = PatientFactory()
    settle()
    patient.delete()
    with pytest.raises((ProgrammingError, InternalError), match="append-only"), transaction.atomic():
        sql(change)
    assert ResourceHistory.objects.count() == 2


def test_recording_observations_makes_no_version_and_touches_none():
    code = CodeFactory(coding_code="omh:blood-glucose:4.0")
    known = ObservationIdentifierFactory(observation__code=code, system="s", value="known")
    settle()
    sent = [
        NewObservation(
            patient_id=known.patient_id,
            code_id=code.pk,
            code=code.coding_code,
            data_point={
                "header": {},
                "body": {
                    "blood_glucose": {"value": 120, "unit": "mg/dL"},
                    "effective_time_frame": {"date_time": "2026-03-01T08:30:00Z"},
                },
            },
            identifiers=(("s", value), ("s", f"{value} too")),
        )
        for value in ("known", "new")
    ]
    recorded = record_observations(actor=None, door="fhir", activity="batch", observations=sent)
    assert recorded.keys() == {1}
    assert list(Observation.objects.values_list("version_id", flat=True)) == [1, 1]
    assert ObservationIdentifier.objects.count() == 3
    assert not ResourceHistory.objects.exists()


def test_an_identifier_added_to_an_observation_is_not_in_what_it_was():
    first = ObservationIdentifierFactory(value="first")
    other = ObservationFactory()
    settle()
    new = [(first.observation, "second"), (first.observation, "third"), (other, "fourth")]
    ObservationIdentifier.objects.bulk_create(
        ObservationIdentifier(observation=observation, patient=observation.patient, system="s", value=value)
        for observation, value in new
    )
    for observation, values in [(first.observation, ["first"]), (other, [])]:
        observation.refresh_from_db()
        assert observation.version_id == 2
        assert [part.value for part in former(observation).identifiers.all()] == values
    settle()
    Observation.objects.update(status="amended")
    first.observation.refresh_from_db()
    assert [part.value for part in former(first.observation).identifiers.all()] == ["first", "second", "third"]


def test_a_former_observation_is_whole():
    observation = ObservationIdentifierFactory(
        observation__omh_data={"header": {"uuid": "u"}, "body": {"x": 1.5}},
        observation__value_quantity=1.5,
        observation__utc_offset_minutes=-480,
        value="O-1",
    ).observation
    settle()
    observation.status = Observation.Status.AMENDED
    observation.save()
    was = former(observation)
    assert (was.status, was.omh_data, was.value_quantity) == ("final", observation.omh_data, 1.5)
    assert (was.effective_start, was.effective_end) == (observation.effective_start, None)
    assert (was.utc_offset_minutes, was.code, was.patient) == (-480, observation.code, observation.patient)
    assert [part.value for part in was.identifiers.all()] == ["O-1"]
    kept = ResourceHistory.objects.get()
    assert (kept.patient_id, kept.code_id) == (observation.patient_id, observation.code_id)


def test_a_membership_has_a_history_of_its_own_and_leaves_the_practitioners_alone():
    membership = MembershipFactory(practitioner=PractitionerFactory())
    settle()
    PractitionerOrganization.objects.all().delete()
    assert versions(membership) == [(1, False), (2, True)]
    assert versions(membership.practitioner) == []
