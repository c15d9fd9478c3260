"""Who reads what of the audit trail in the demo world."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.actions.audit import record_access
from core.models import AuditEvent, AuditReach, PractitionerOrganization
from tests.personas import BP, BT, EVERYBODY, patient_of, principal_of, seed_demo_world, study_of, user_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def world() -> None:
    seed_demo_world()


def leave(who: str, *patients: str, study: str | None = None, outcome: str = "success") -> int:
    return record_access(
        door="mcp",
        action="list_study_patients",
        outcome=outcome,
        user_id=user_of(who).pk,
        client_id="claude",
        token_key="the token's hash",
        study_id=study_of(study).pk if study else None,
        patient_ids=[patient_of(name).pk for name in patients],
        source="192.0.2.7",
        detail={"name": "Pet"},
    )


def as_read_by(who: str, event_id: int) -> AuditEvent | None:
    principal = principal_of(user_of(who))
    found = AuditEvent.objects.visible_to(principal).filter(pk=event_id).first()
    return found.as_seen_by(AuditReach.of(principal)) if found else None


def readers_of(event_id: int) -> set[str]:
    return {who for who in EVERYBODY if as_read_by(who, event_id)}


def test_an_access_is_read_by_the_patient_their_managers_its_actor_and_the_superuser() -> None:
    event = leave("viewer_victor", "ll_patient_peter", study=BP)
    assert readers_of(event) == {"admin", "manager_mary", "viewer_victor", "ll_patient_peter"}


def test_peter_learns_who_looked_and_through_what_and_of_no_other_patient() -> None:
    seen = as_read_by("ll_patient_peter", leave("member_megan", "ll_patient_peter", "ll_patient_pamela", study=BP))
    assert seen
    assert seen.patient_ids == [patient_of("ll_patient_peter").pk]
    assert (seen.user_id, seen.client_id, seen.door) == (user_of("member_megan").pk, "claude", "mcp")
    assert (seen.detail, seen.token_key, seen.source) == ({}, "", "")


def test_peter_learns_what_was_asked_when_it_was_about_him_alone() -> None:
    seen = as_read_by("ll_patient_peter", leave("member_megan", "ll_patient_peter"))
    assert seen
    assert (seen.detail, seen.source) == ({"name": "Pet"}, "")


def test_mary_and_mark_each_read_of_their_own_patients_in_an_event_that_touched_both() -> None:
    event = leave("admin", "ll_patient_peter", "npl_patient_percy")
    mary, mark = as_read_by("manager_mary", event), as_read_by("manager_mark", event)
    assert mary
    assert mark
    assert mary.patient_ids == [patient_of("ll_patient_peter").pk]
    assert mark.patient_ids == [patient_of("npl_patient_percy").pk]
    assert mary.detail == mark.detail == {}
    assert mary.source == "192.0.2.7"


def test_tom_reads_as_a_manager_of_one_organization_and_not_as_a_viewer_of_another() -> None:
    assert as_read_by("three_org_tom", leave("admin", "ccl_patient_paul"))
    assert not as_read_by("three_org_tom", leave("admin", "ll_patient_peter"))
    assert not as_read_by("three_org_tom", leave("admin", "npl_patient_percy"))


def test_mary_reads_of_a_stranger_who_tried_her_study() -> None:
    event = leave("manager_mark", study=BP, outcome="refused")
    assert readers_of(event) == {"admin", "manager_mary", "manager_mark"}


def test_mark_does_not_read_of_a_study_that_is_not_his() -> None:
    assert readers_of(leave("admin", study=BP)) == {"admin", "manager_mary"}
    assert "manager_mark" in readers_of(leave("admin", study=BT))


def test_a_deed_of_nobody_is_read_by_the_superuser_alone() -> None:
    event = record_access(door="command", action="x", outcome="success", user_id=None)
    assert readers_of(event) == {"admin"}


def test_megan_reads_all_of_what_she_did_herself_and_nothing_else() -> None:
    seen = as_read_by("member_megan", leave("member_megan", "ll_patient_peter", "ll_patient_pamela"))
    assert seen
    assert len(seen.patient_ids) == 2
    assert seen.source == "192.0.2.7"
    assert not as_read_by("member_megan", leave("viewer_victor", "ll_patient_peter", study=BP))


def test_pamela_finds_nothing_by_asking_for_peter() -> None:
    leave("member_megan", "ll_patient_peter", "ll_patient_pamela")
    reach = AuditReach.of(principal_of(user_of("ll_patient_pamela")))
    peter, pamela = patient_of("ll_patient_peter").pk, patient_of("ll_patient_pamela").pk
    assert not AuditEvent.objects.within(reach).touching(peter, reach).exists()
    assert AuditEvent.objects.within(reach).touching(pamela, reach).exists()


def test_mary_reads_no_longer_once_she_manages_no_longer() -> None:
    event = leave("viewer_victor", "ll_patient_peter", study=BP)
    PractitionerOrganization.objects.filter(practitioner__user=user_of("manager_mary")).update(role="member")
    assert not as_read_by("manager_mary", event)


def test_whose_account_is_closed_reads_nothing() -> None:
    event = leave("admin", "ll_patient_peter")
    for who in EVERYBODY:
        user = user_of(who)
        user.is_active = False
        user.save()
    assert readers_of(event) == set()


def test_what_is_read_is_a_copy_that_cannot_overwrite_the_row() -> None:
    event_id = leave("member_megan", "ll_patient_peter", "ll_patient_pamela")
    event = AuditEvent.objects.get(pk=event_id)
    event.as_seen_by(AuditReach.of(principal_of(user_of("ll_patient_peter"))))
    assert len(event.patient_ids) == 2
    assert event.detail == {"name": "Pet"}


def test_reading_takes_two_queries_however_much_there_is() -> None:
    for _ in range(5):
        leave("member_megan", "ll_patient_peter", "ll_patient_pamela")
    principal = principal_of(user_of("manager_mary"))
    with CaptureQueriesContext(connection) as queries:
        reach = AuditReach.of(principal)
        shown = [event.as_seen_by(reach) for event in AuditEvent.objects.within(reach)]
    assert len(shown) >= 5
    assert len(queries) == 2
