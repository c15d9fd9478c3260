"""A token never does more than its maker can at that moment: every change to the maker is one to the token."""

import pytest
from django.test import Client

from core.models import McpToken, PractitionerOrganization, Study
from tests import personas
from tests.factories import ConsentFactory, MembershipFactory, ObservationFactory, StudyFactory
from tests.mcp_tokens import made_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo_world")]


def lab_id() -> int:
    return personas.organization_of("Lifespan Lab").pk


def studies(agent: Client) -> set[str]:
    return {row["name"] for row in agent.get("/api/v1/studies", {"page_size": 100}).json()["results"]}


def renamed(agent: Client, name: str = personas.BP) -> int:
    path = f"/api/v1/studies/{personas.study_of(name).pk}"
    return agent.patch(path, {"description": "Renamed"}, content_type="application/json").status_code


def memberships(name: str):
    return PractitionerOrganization.objects.filter(practitioner__user=personas.user_of(name))


def test_a_role_that_is_lowered_takes_from_the_token_at_once():
    _, agent = made_for("manager_mary", permissions=["study:manage", "study:read"], organizations=[lab_id()])
    assert renamed(agent) == 200
    memberships("manager_mary").filter(organization=lab_id()).update(role="viewer")
    assert renamed(agent) == 403
    assert personas.BP in studies(agent)


def test_a_role_that_is_raised_gives_no_more_than_was_named():
    _, agent = made_for("viewer_victor")
    memberships("viewer_victor").update(role="manager")
    assert renamed(agent) == 403


def test_a_membership_that_ends_takes_its_studies_and_patients():
    _, agent = made_for("member_megan", studies=[personas.study_of(personas.BP).pk])
    assert studies(agent) == {personas.BP}
    assert agent.get("/api/v1/patients").json()["results"]
    memberships("member_megan").delete()
    assert studies(agent) == set()
    assert agent.get("/api/v1/patients").json()["results"] == []
    assert agent.get("/FHIR/R5/Observation").json().get("entry", []) == []
    assert agent.get("/api/v1/mcp_tokens/introspect").json()["studies"] == []


def test_a_study_that_moves_to_another_organization_is_out_of_reach():
    study = StudyFactory(organization_id=lab_id())
    _, by_study = made_for("member_megan", studies=[study.pk])
    _, by_organization = made_for("member_megan", organizations=[lab_id()])
    assert (studies(by_study), study.name in studies(by_organization)) == ({study.name}, True)
    Study.objects.filter(pk=study.pk).update(organization=personas.organization_of("Cosmic Cardio Lab"))
    assert studies(by_study) == set()
    assert study.name not in studies(by_organization)
    assert by_study.get(f"/api/v1/studies/{study.pk}").status_code == 404


def test_consent_that_is_withdrawn_takes_the_data():
    study = StudyFactory(organization_id=lab_id())
    consent = ConsentFactory(study=study)
    observation = ObservationFactory(patient=consent.patient, code=consent.code)
    _, agent = made_for("manager_mary", studies=[study.pk])
    paths = (f"/api/v1/observations/{observation.pk}", f"/FHIR/R5/Observation/{observation.pk}")
    assert [agent.get(path).status_code for path in paths] == [200, 200]
    consent.consented = False
    consent.save()
    assert [agent.get(path).status_code for path in paths] == [404, 404]


def test_a_closed_account_closes_its_tokens_and_opens_them_again_with_it():
    _, agent = made_for("manager_mary")
    mary = personas.user_of("manager_mary")
    for is_active, status in ((False, 401), (True, 200)):
        mary.is_active = is_active
        mary.save()
        assert agent.get("/api/v1/studies").status_code == status
        assert agent.get("/FHIR/R5/ResearchStudy").status_code == status


def test_a_maker_who_becomes_superuser_gives_a_named_study_no_company():
    row, agent = made_for("viewer_victor", studies=[personas.study_of(personas.BP).pk])
    victor = personas.user_of("viewer_victor")
    victor.is_superuser = True
    victor.save()
    assert studies(agent) == {personas.BP}
    assert renamed(agent) == 403
    answer = agent.post("/api/v1/data_sources", {"name": "Ring", "type": "personal_device"})
    assert answer.status_code in (403, 415)
    assert McpToken.objects.get(pk=row.pk).scope == "mcp user/*.rs"


def test_a_maker_who_is_no_superuser_any_more_takes_the_token_along():
    _, agent = made_for("admin", studies=[personas.study_of(personas.BP).pk])
    assert studies(agent) == {personas.BP}
    admin = personas.user_of("admin")
    admin.is_superuser = False
    admin.save()
    assert studies(agent) == set()


# Clones


def test_a_clone_reaches_what_its_maker_reaches():
    _, agent = made_for("three_org_tom", clone=True)
    _, tom = made_for("three_org_tom")
    assert studies(agent) == studies(tom) != set()
    for path in ("/api/v1/patients", "/api/v1/organizations", "/api/v1/practitioners"):
        mine, theirs = (one.get(path, {"page_size": 100}).json()["results"] for one in (agent, tom))
        assert [row["id"] for row in mine] == [row["id"] for row in theirs] != []


def test_a_clone_is_not_added_to_by_a_later_membership_study_or_role():
    _, agent = made_for("member_megan", clone=True)
    before = studies(agent)
    organizations = agent.get("/api/v1/organizations").json()["results"]
    MembershipFactory(
        practitioner=personas.user_of("member_megan").practitioner,
        organization=personas.organization_of("Cosmic Cardio Lab"),
        role="manager",
    )
    StudyFactory(organization_id=lab_id())
    memberships("member_megan").update(role="manager")
    assert studies(agent) == before
    assert [row["id"] for row in agent.get("/api/v1/organizations").json()["results"]] == [
        row["id"] for row in organizations
    ]
    assert "practitioner:manage" not in agent.get("/api/v1/mcp_tokens/introspect").json()["permissions"]


def test_a_clone_can_do_what_its_maker_can_at_each_of_their_places():
    """Tom manages one place and reads others: a role raised there later would reach through what he can do here."""
    tom, _ = made_for("three_org_tom", clone=True)
    mary, _ = made_for("manager_mary", clone=True)
    roles = set(memberships("three_org_tom").values_list("role", flat=True))
    assert "viewer" in roles
    assert all(permission.endswith(":read") for permission in tom.permissions)
    assert "study:manage" in mary.permissions
    assert "token:manage" not in mary.permissions


def test_a_clone_shrinks_with_its_maker():
    _, agent = made_for("three_org_tom", clone=True)
    memberships("three_org_tom").filter(organization=lab_id()).delete()
    assert personas.BP not in studies(agent)


def test_a_superusers_clone_is_of_what_there_is_now():
    row, agent = made_for("admin", clone=True)
    before = studies(agent)
    newer = StudyFactory()
    assert studies(agent) == before
    assert agent.get(f"/api/v1/studies/{newer.pk}").status_code == 404
    assert "token:manage" not in row.permissions


def test_peters_clone_is_of_himself():
    row, agent = made_for("ll_patient_peter", clone=True)
    peter = personas.patient_of("ll_patient_peter").pk
    assert [one["id"] for one in agent.get("/api/v1/patients").json()["results"]] == [peter]
    assert {"observation:read", "observation:write", "study:read"} < set(row.permissions)
