"""Changes on condition (FHIR R5 http.html#ccreate, #cond-update, #cdelete), alone and by many at the same moment."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.cache import cache
from django.db import connection, transaction

from core.fhir.turns import take_turns
from core.models import Patient, PatientIdentifier
from tests.bearer import client_of
from tests.factories import MembershipFactory, PatientFactory, PatientIdentifierFactory

FHIR = "/FHIR/R5"
JSON = "application/fhir+json"
SYSTEM = "https://test.invalid/mrn"
SENDERS = 8


@pytest.fixture
def maud(db):
    """A manager of a lab, with nothing else in the world."""
    cache.clear()
    return MembershipFactory(role="manager")


@pytest.fixture
def sender(maud):
    return client_of(maud.practitioner.user)


def patient(maud, value="M-1", **elements):
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": value}],
        "name": [{"family": "Lovell"}],
        "managingOrganization": {"reference": f"Organization/{maud.organization_id}"},
        **elements,
    }


def known(maud, value="M-1", **columns):
    row = PatientFactory(organizations=[maud.organization], **columns)
    PatientIdentifierFactory(patient=row, system=SYSTEM, value=value)
    return row


def send(client, method, path, body=None, content_type=JSON, **headers):
    return getattr(client, method)(f"{FHIR}/{path}", body, content_type=content_type, headers=headers)


def test_if_none_exist_answers_with_what_is_there(maud, sender):
    condition = {"If-None-Exist": f"identifier={SYSTEM}|M-1"}
    first = send(sender, "post", "Patient", patient(maud), **condition)
    again = send(sender, "post", "Patient", patient(maud, gender="other"), **condition)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again["ETag"] == first["ETag"]


def test_the_query_of_a_post_is_a_condition_too(maud, sender):
    row = known(maud)
    answer = send(sender, "post", f"Patient?identifier={SYSTEM}|M-1", patient(maud))
    assert (answer.status_code, answer.json()["id"]) == (200, str(row.pk))


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_several_matches_change_nothing(maud, sender, method):
    known(maud, "M-1", name_family="Lovell")
    known(maud, "M-2", name_family="Lovell")
    before = list(Patient.objects.values_list("pk", "version_id"))
    kind = "application/json-patch+json" if method == "patch" else JSON
    body = [] if method == "patch" else patient(maud, "M-3")
    answer = send(sender, method, "Patient?family=Lovell", body, kind)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (412, "conflict")
    assert list(Patient.objects.values_list("pk", "version_id")) == before


@pytest.mark.parametrize("query", ["unheard=1", "_count=1", "identifier=", "_sort=family"])
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_query_that_names_nothing_is_refused(maud, sender, method, query):
    row = known(maud)
    answer = send(sender, method, f"Patient?{query}", patient(maud, "M-9"))
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
    assert list(Patient.objects.values_list("pk")) == [(row.pk,)]


def test_an_update_on_condition_changes_the_one_match_or_creates(maud, sender):
    row = known(maud)
    changed = send(sender, "put", f"Patient?identifier={SYSTEM}|M-1", patient(maud, gender="female"))
    assert (changed.status_code, changed.json()["id"], changed.json()["gender"]) == (200, str(row.pk), "female")
    created = send(sender, "put", f"Patient?identifier={SYSTEM}|M-2", patient(maud, "M-2"))
    assert created.status_code == 201
    assert created["Location"].endswith(f"Patient/{created.json()['id']}/_history/1")


def test_an_update_on_condition_of_another_id_is_refused(maud, sender):
    known(maud)
    answer = send(sender, "put", f"Patient?identifier={SYSTEM}|M-1", patient(maud, id="1"))
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["Patient.id"])


def test_a_patch_and_a_delete_take_their_resource_by_a_query(maud, sender):
    row = known(maud)
    query = f"Patient?identifier={SYSTEM}|M-1"
    operations = [{"op": "add", "path": "/gender", "value": "male"}]
    patched = send(sender, "patch", query, operations, "application/json-patch+json")
    assert (patched.status_code, patched.json()["gender"]) == (200, "male")
    assert send(sender, "delete", query).status_code == 204
    assert not Patient.objects.filter(pk=row.pk).exists()
    assert send(sender, "delete", query).status_code == 404


def test_a_condition_finds_nobody_of_another_lab_and_the_refusal_does_not_say_whose_it_is(maud, sender):
    stranger = known(MembershipFactory(role="manager"), name_family="Hidden")
    query = f"Patient?identifier={SYSTEM}|M-1"
    answers = [
        send(sender, "post", query, patient(maud)),
        send(sender, "put", query, patient(maud)),
    ]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert send(sender, "delete", query).status_code == 404
    assert all(str(stranger.pk) not in answer.content.decode() for answer in answers)


def at_once(maud, requests):
    """The answers to requests that are sent by a thread each, with a connection of its own, at the same moment."""
    user = maud.practitioner.user
    clients = [client_of(user) for _ in requests]
    ready = Barrier(len(requests), timeout=60)

    def one(place):
        method, path, body, headers = requests[place]
        ready.wait()
        try:
            return send(clients[place], method, path, body, **headers)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(one, range(len(requests))))


def transaction_of(entries):
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def statuses(answers):
    return Counter(answer.status_code for answer in answers)


SPELLINGS = (
    f"identifier={SYSTEM}|M-1",
    f"identifier={SYSTEM}%7CM-1",
    "identifier=https%3A%2F%2Ftest.invalid%2Fmrn%7CM-1",
    f"identifier={SYSTEM}|M-1&identifier={SYSTEM}|M-1",
    f"identifier={SYSTEM}|M-1,{SYSTEM}|M-1",
    f"family=Lovell&identifier={SYSTEM}|M-1",
    f"identifier={SYSTEM}|M-1&family=Lovell",
    "identifier=M-1",
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("spellings", [SPELLINGS[:1] * SENDERS, SPELLINGS], ids=["one query", "eight spellings"])
def test_of_eight_who_create_on_one_condition_at_once_one_does(maud, spellings):
    answers = at_once(maud, [("post", "Patient", patient(maud), {"If-None-Exist": query}) for query in spellings])
    assert statuses(answers) == {201: 1, 200: SENDERS - 1}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Patient.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_update_on_one_condition_at_once_one_creates_and_the_others_change(maud):
    answers = at_once(
        maud,
        [
            ("put", f"Patient?{query}", patient(maud, birthDate=f"198{n}-01-01"), {})
            for n, query in enumerate(SPELLINGS)
        ],
    )
    assert statuses(answers) == {201: 1, 200: SENDERS - 1}
    assert Patient.objects.get().version_id == SENDERS


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_create_without_a_condition_one_does_and_the_others_are_told_who_is_there(maud):
    answers = at_once(maud, [("post", "Patient", patient(maud), {})] * SENDERS)
    assert statuses(answers) == {201: 1, 409: SENDERS - 1}
    assert PatientIdentifier.objects.count() == Patient.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_transactions_with_conditions_in_another_order_do_not_stop_each_other(maud):
    entries = [
        {
            "resource": patient(maud, value),
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={SYSTEM}|{value}"},
        }
        for value in ("M-1", "M-2")
    ]
    bundles = [
        {"resourceType": "Bundle", "type": "transaction", "entry": entries[:: (-1) ** n]} for n in range(SENDERS)
    ]
    answers = at_once(maud, [("post", "", json.dumps(bundle), {}) for bundle in bundles])
    assert statuses(answers) == {200: SENDERS}
    assert Patient.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_transactions_that_update_in_another_order_both_end_and_never_as_a_fault(maud):
    rows = [known(maud, value) for value in ("M-1", "M-2")]
    entries = [
        {
            "resource": patient(maud, value, id=str(row.pk)),
            "request": {"method": "PUT", "url": f"Patient/{row.pk}"},
        }
        for row, value in zip(rows, ("M-1", "M-2"), strict=True)
    ]
    bundles = [
        {"resourceType": "Bundle", "type": "transaction", "entry": entries[:: (-1) ** n]} for n in range(SENDERS)
    ]
    answers = at_once(maud, [("post", "", json.dumps(bundle), {}) for bundle in bundles])
    assert statuses(answers)[200] >= 1
    assert set(statuses(answers)) <= {200, 409}


@pytest.mark.django_db(transaction=True)
def test_turns_are_per_type_and_end_with_the_transaction():
    def would_wait(name):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT NOT pg_try_advisory_xact_lock(hashtext('conditional'), hashtext(%s))", [name])
            return cursor.fetchone()[0]

    def elsewhere(name):
        try:
            return would_wait(name)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            take_turns(["Patient"])
            assert pool.submit(elsewhere, "Patient").result()
            assert not pool.submit(elsewhere, "Device").result()
        assert not pool.submit(elsewhere, "Patient").result()
