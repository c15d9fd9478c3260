"""What is sent: who may send what, what is valid, what is there already; each for itself, or all or nothing."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from core.actions.ingest import Kept, Upload, UploadsRefused, ingest
from core.actions.upload_gate import Refusal
from core.models import (
    AuditEvent,
    DataSourceSupportedScope,
    Ingest,
    Observation,
    ObservationIdentifier,
    StudyDataSource,
    StudyPatientScopeConsent,
)
from core.models.code import IEEE_1752, OPEN_MHEALTH
from core.policy.errors import Conflict, InvalidInput, NotVisible, PermissionDenied
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    DataSourceFactory,
    MembershipFactory,
    PatientFactory,
    StudyFactory,
    UserFactory,
)
from tests.personas import principal_of

SYSTEM = "urn:example:app"
GLUCOSE = "omh:blood-glucose:4.0"
POINT = {
    "header": {
        "uuid": "aaaa1234-1a2b-3c4d-8e6f-000000000001",
        "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "4.0"},
        "source_creation_date_time": "2026-03-01T08:30:00-08:00",
    },
    "body": {
        "blood_glucose": {"value": 120, "unit": "mg/dL"},
        "effective_time_frame": {"date_time": "2026-03-01T08:30:00-08:00"},
    },
}
pytestmark = pytest.mark.django_db


@pytest.fixture
def glucose():
    return CodeFactory(coding_code=GLUCOSE)


@pytest.fixture
def study(glucose):
    return StudyFactory(scopes=[glucose])


@pytest.fixture
def peter(study, glucose):
    patient = PatientFactory(user=UserFactory())
    ConsentFactory(study=study, patient=patient, code=glucose)
    return patient


@pytest.fixture
def member(study):
    return practitioner(study, "member")


def practitioner(study, role):
    return principal_of(MembershipFactory(organization=study.organization, role=role).practitioner.user)


def reading(patient, *identifiers, value=120, **fields):
    point = copy.deepcopy(POINT)
    point["body"]["blood_glucose"]["value"] = value
    given = {"data_point": point, "coding_system": OPEN_MHEALTH, "coding_code": GLUCOSE, **fields}
    return Upload(patient_id=patient.pk, identifiers=tuple((SYSTEM, i) for i in identifiers), **given)


def send(actor, *uploads, all_or_nothing=False):
    return ingest(actor=actor, door="fhir", activity="create", uploads=uploads, all_or_nothing=all_or_nothing)


def refusal_of(actor, upload):
    [refusal] = send(actor, upload)
    assert isinstance(refusal, Refusal)
    assert not Observation.objects.exists()
    return refusal


def test_a_patient_sends_their_own_and_a_member_that_of_the_studys_patients(peter, member):
    for actor, name in ((principal_of(peter.user), "a"), (member, "b")):
        [kept] = send(actor, reading(peter, name))
        assert kept == Kept(Observation.objects.latest("id").pk, True)
    observation = Observation.objects.first()
    assert (observation.patient, observation.value_quantity, observation.value_unit) == (peter, 120.0, "mg/dL")
    assert observation.omh_data == POINT


@pytest.mark.parametrize("role", ["member", "manager"])
def test_who_manages_patients_sends_for_them(study, peter, role):
    assert isinstance(send(practitioner(study, role), reading(peter))[0], Kept)


def test_a_viewer_may_not_send(study, peter):
    refusal = refusal_of(practitioner(study, "viewer"), reading(peter))
    assert isinstance(refusal.error, PermissionDenied)
    assert str(refusal.error) == f"Your role does not include sending data of Patient {peter.pk}."
    assert refusal.element == "subject"


def test_a_superuser_is_gated_by_consent_as_everybody(peter):
    superuser = principal_of(UserFactory(is_superuser=True))
    assert isinstance(send(superuser, reading(peter))[0], Kept)
    StudyPatientScopeConsent.objects.update(consented=False)
    assert isinstance(send(superuser, reading(peter))[0].error, PermissionDenied)


def test_a_patient_who_is_missing_and_one_of_others_are_refused_alike(peter, member):
    stranger, nobody = PatientFactory(), PatientFactory()
    nobody_id = nobody.pk
    nobody.delete()
    for patient_id in (stranger.pk, nobody_id):
        refusal = refusal_of(member, Upload(patient_id, OPEN_MHEALTH, GLUCOSE, POINT))
        assert isinstance(refusal.error, NotVisible)
        assert str(refusal.error) == f"No Patient {patient_id} that you can see."


def test_a_patient_does_not_send_for_another(study, peter, glucose):
    pamela = PatientFactory(user=UserFactory())
    ConsentFactory(study=study, patient=pamela, code=glucose)
    assert isinstance(refusal_of(principal_of(pamela.user), reading(peter)).error, NotVisible)


def test_without_consent_or_after_it_ended_nothing_is_taken(study, peter, member):
    StudyPatientScopeConsent.objects.update(consented=False)
    for actor in (member, principal_of(peter.user)):
        refusal = refusal_of(actor, reading(peter))
        assert isinstance(refusal.error, PermissionDenied)
        assert "has not consented" in str(refusal.error)
        assert refusal.element == "code"


def test_a_consent_in_another_organizations_study_opens_nothing(peter, glucose, study, member):
    StudyPatientScopeConsent.objects.update(consented=False)
    ConsentFactory(study=StudyFactory(scopes=[glucose]), patient=peter, code=glucose)
    assert isinstance(refusal_of(member, reading(peter)).error, PermissionDenied)
    assert isinstance(send(principal_of(peter.user), reading(peter))[0], Kept)


def test_a_user_who_was_deactivated_sends_nothing(peter, member):
    actor = principal_of(peter.user)
    peter.user.is_active = False
    peter.user.save()
    assert isinstance(refusal_of(actor, reading(peter)).error, NotVisible)


def test_a_kind_that_is_not_exchanged_here_is_refused(peter, member):
    refusal = refusal_of(member, reading(peter, coding_code="omh:mood:1.0"))
    assert isinstance(refusal.error, InvalidInput)
    assert refusal.element == "code.coding[0]"


def test_codes_of_ieee_also_come_with_the_system_of_open_mhealth(study, peter, member):
    code = CodeFactory(coding_system=IEEE_1752, coding_code="ieee:time-in-bed:1.0")
    ConsentFactory(study=study, patient=peter, code=code)
    point = {
        "header": {**POINT["header"], "schema_id": {"namespace": "ieee", "name": "time-in-bed", "version": "1.0"}},
        "body": {
            "time_in_bed": {"value": 480, "unit": "min"},
            "effective_time_frame": {
                "time_interval": {
                    "start_date_time": "2026-03-01T22:00:00-08:00",
                    "end_date_time": "2026-03-02T06:00:00-08:00",
                }
            },
        },
    }
    for system in (IEEE_1752, OPEN_MHEALTH):
        assert isinstance(send(member, Upload(peter.pk, system, code.coding_code, point))[0], Kept)
    assert set(Observation.objects.values_list("code_id", flat=True)) == {code.pk}


def test_a_device_is_known_sends_the_kind_and_is_one_of_the_studys(study, peter, member, glucose):
    anything, sensor, watch = DataSourceFactory(), DataSourceFactory(), DataSourceFactory()
    DataSourceSupportedScope.objects.create(data_source=sensor, code=glucose)
    DataSourceSupportedScope.objects.create(data_source=watch, code=CodeFactory())
    for device in (anything, sensor):
        assert isinstance(send(member, reading(peter, data_source_id=device.pk))[0], Kept)
    for device_id in (watch.pk, 1):
        [refusal] = send(member, reading(peter, data_source_id=device_id))
        assert str(refusal.error) == f"There is no Device {device_id} that sends this kind of data."
        assert refusal.element == "device"
    StudyDataSource.objects.create(study=study, data_source=sensor)
    assert isinstance(send(member, reading(peter, data_source_id=sensor.pk))[0], Kept)
    [refusal] = send(member, reading(peter, data_source_id=anything.pk))
    assert "none of those that the studies take" in str(refusal.error)


def test_each_of_a_batch_comes_to_its_own_end(peter, member):
    stranger = PatientFactory()
    first, invalid, foreign, last = send(
        member, reading(peter, "a"), reading(peter, "b", value="high"), reading(stranger, "c"), reading(peter, "d")
    )
    assert [first.is_new, last.is_new] == [True, True]
    assert (str(invalid.error), invalid.element) == ('body.blood_glucose.value is not of type "number".', "value")
    assert isinstance(foreign.error, NotVisible)
    assert list(ObservationIdentifier.objects.order_by("value").values_list("value", flat=True)) == ["a", "d"]


def test_of_all_or_nothing_one_refusal_refuses_all_and_leaves_nothing(peter, member):
    uploads = [reading(peter, "a"), reading(peter, "b", value="high"), reading(PatientFactory(), "c")]
    with pytest.raises(UploadsRefused) as refused:
        send(member, *uploads, all_or_nothing=True)
    assert list(refused.value.refusals) == [1, 2]
    for model in (Observation, ObservationIdentifier, Ingest, AuditEvent):
        assert not model.objects.exists()


def test_what_comes_again_is_known_and_no_second_row(peter, member):
    [first] = send(member, reading(peter, "a"))
    again, new, twice = send(member, reading(peter, "a", value=99), reading(peter, "b"), reading(peter, "b"))
    assert again == Kept(first.id, False, 1)
    assert (new.is_new, twice) == (True, Kept(new.id, False, 1))
    assert Observation.objects.count() == 2
    assert Observation.objects.get(pk=first.id).value_quantity == 120


def test_a_known_one_is_told_with_the_version_it_has_now(peter, member):
    [first] = send(member, reading(peter, "a"))
    connection.cursor().execute("UPDATE core_observation SET version_id = 3")
    [again] = send(member, reading(peter, "a"))
    assert again.id == first.id
    assert again.version_id == Observation.objects.get().version_id


@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_an_identifier_of_another_kind_of_observation_is_a_conflict(study, peter, member, all_or_nothing):
    weight = CodeFactory(coding_code="omh:body-weight:3.0")
    ConsentFactory(study=study, patient=peter, code=weight)
    send(member, reading(peter, "a"))
    point = {
        "header": {**POINT["header"], "schema_id": {"namespace": "omh", "name": "body-weight", "version": "3.0"}},
        "body": {
            "body_weight": {"value": 80, "unit": "kg"},
            "effective_time_frame": POINT["body"]["effective_time_frame"],
        },
    }
    other = reading(peter, "a", coding_code=weight.coding_code, data_point=point)
    if all_or_nothing:
        with pytest.raises(UploadsRefused):
            send(member, reading(peter, "b"), other, all_or_nothing=True)
        assert Observation.objects.count() == 1
    else:
        assert isinstance(send(member, other)[0].error, Conflict)


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"note": "a\x00b"}, "the character NUL"),
        ({"note": "\\\x00"}, "the character NUL"),
        ({"note": 2**70}, "too large"),
        ({"note": "\ud800"}, "no Unicode"),
    ],
)
def test_what_the_database_cannot_keep_is_refused_with_a_sentence(peter, member, extra, sentence):
    refusal = refusal_of(member, reading(peter, data_point={**POINT, "body": {**POINT["body"], **extra}}))
    assert isinstance(refusal.error, InvalidInput)
    assert sentence in str(refusal.error)


def test_a_text_that_only_looks_like_nul_is_kept(peter, member):
    point = {**POINT, "body": {**POINT["body"], "note": "\\u0000"}}
    [kept] = send(member, reading(peter, data_point=point))
    assert Observation.objects.get(pk=kept.id).omh_data == point


def test_a_set_leaves_one_row_in_the_trail_and_one_provenance(peter, member):
    send(member, *[reading(peter, str(n)) for n in range(20)], reading(PatientFactory()))
    trail, provenance = AuditEvent.objects.get(), Ingest.objects.get()
    assert (trail.door, trail.action, trail.outcome) == ("fhir", "create", "success")
    assert (trail.patient_ids, trail.user_id) == ([peter.pk], member.user_id)
    assert trail.detail == {"observations": 21, "refused": 1}
    assert (provenance.recorded_count, provenance.patient_ids) == (20, [peter.pk])
    assert set(Observation.objects.values_list("ingest_id", flat=True)) == {provenance.pk}


def test_a_batch_that_was_refused_whole_is_in_the_trail_as_refused(peter, member):
    stranger = PatientFactory()
    send(member, reading(stranger), reading(stranger))
    trail = AuditEvent.objects.get()
    assert (trail.outcome, trail.patient_ids) == ("refused", [stranger.pk])


def test_the_number_of_queries_does_not_grow_with_the_set(peter, member, django_assert_num_queries):
    def queries(count, first):
        with django_assert_num_queries(7):  # two savepoints and their ends, gate, record, trail
            send(member, *[reading(peter, f"{first}-{n}") for n in range(count)])

    queries(1, "one")
    queries(200, "many")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_eight_senders_of_the_same_readings_all_learn_the_same_ids(peter, member, all_or_nothing):
    uploads = [reading(peter, f"first-{n}", f"second-{n}") for n in range(50)]

    def race(turn):
        try:
            sent = uploads if turn % 2 else uploads[::-1]
            outcomes = send(member, *sent, all_or_nothing=all_or_nothing)
            return dict(zip([upload.identifiers for upload in sent], outcomes, strict=True))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(race, range(8)))
    ids = [{identifiers: kept.id for identifiers, kept in answer.items()} for answer in answers]
    assert all(answer == ids[0] for answer in ids)
    assert sum(kept.is_new for answer in answers for kept in answer.values()) == Observation.objects.count() == 50
    assert ObservationIdentifier.objects.count() == 100
