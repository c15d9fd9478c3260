"""/mcp_tokens: making, seeing and ending tokens for agents, and what a token says of itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from core.actions.mcp_tokens import MAX_STANDING, create_token
from core.actions.narrowings import narrow
from core.models import AuditEvent, McpToken, Narrowing
from core.policy.mcp_tokens import PREFIX, is_well_formed, new_token, token_hash
from tests import personas
from tests.bearer import client_of
from tests.factories import StudyFactory
from tests.mcp_tokens import bearer, made_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo_world")]

TOKENS = "/api/v1/mcp_tokens"
INTROSPECT = f"{TOKENS}/introspect"


def as_(name: str, **fields: Any) -> Client:
    return client_of(personas.user_of(name), **fields)


def create(name: str = "manager_mary", **body: Any):
    return as_(name).post(TOKENS, body, content_type="application/json")


def study_id(name: str = personas.BP) -> int:
    return personas.study_of(name).pk


def test_mary_makes_a_token_that_is_shown_once_and_kept_as_a_hash():
    answer = create(description="Nightly report", ttl="30d", studies=[study_id()])
    said = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    token = said.pop("token")
    assert is_well_formed(token)
    row = McpToken.objects.get(pk=said["id"])
    assert row.token_hash == token_hash(token)
    again = as_("manager_mary").get(f"{TOKENS}/{row.pk}")
    assert again.json() == said
    assert (said["state"], said["everywhere"], said["revoked"], said["lastUsed"]) == ("stands", False, None, None)
    assert said["user"]["email"] == "manager_mary@example.com"
    assert said["studies"] == [{"id": study_id(), "name": personas.BP}]
    assert said["scope"] == "mcp user/*.rs"
    assert all(permission.endswith(":read") for permission in said["permissions"])
    assert timedelta(days=29) < row.expires - timezone.now() <= timedelta(days=30)
    for listed in (again, as_("manager_mary").get(TOKENS)):
        assert PREFIX not in listed.content.decode()
        assert row.token_hash not in listed.content.decode()


def test_a_token_of_mary_opens_rest_and_fhir_as_far_as_it_goes():
    _, agent = made_for("manager_mary", studies=[study_id()])
    assert [row["name"] for row in agent.get("/api/v1/studies").json()["results"]] == [personas.BP]
    assert agent.get(f"/FHIR/R5/ResearchStudy/{study_id()}").json()["title"] == personas.BP
    found = agent.get("/FHIR/R5/ResearchStudy").json()
    assert [entry["resource"]["title"] for entry in found["entry"]] == [personas.BP]


def test_a_token_that_names_an_organization_brings_its_studies_of_every_moment():
    lab = personas.organization_of("Lifespan Lab")
    _, agent = made_for("three_org_tom", organizations=[lab.pk])
    assert {row["organization"]["id"] for row in agent.get("/api/v1/studies").json()["results"]} == {lab.pk}
    newer = StudyFactory(organization=lab)
    assert agent.get(f"/api/v1/studies/{newer.pk}").status_code == 200


def test_reading_is_all_that_a_token_can_do_unless_more_is_named():
    body, path = {"name": "Renamed"}, f"/api/v1/studies/{study_id()}"
    _, reader = made_for("manager_mary")
    refused = reader.patch(path, body, content_type="application/json")
    assert (refused.status_code, refused.json()["detail"][:27]) == (403, "The token has no scope for ")
    _, writer = made_for("manager_mary", permissions=["study:manage", "study:read"])
    assert writer.patch(path, body, content_type="application/json").status_code == 200
    assert writer.get("/api/v1/patients").json()["results"] == []
    _, other = made_for("manager_mary", permissions=["patient:manage", "study:read"])
    assert other.patch(path, body, content_type="application/json").status_code == 403


def test_peters_token_reads_peters_own_data_and_nothing_else():
    _, agent = made_for("ll_patient_peter")
    peter = personas.patient_of("ll_patient_peter").pk
    assert [row["id"] for row in agent.get("/api/v1/patients").json()["results"]] == [peter]
    assert agent.get(f"/api/v1/patients/{personas.patient_of('ll_patient_pamela').pk}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"ttl": "367d"}, 400, "ttl: A token lives for a year at most, and not into the past."),
        ({"ttl": "0d"}, 400, "ttl: A token lives for a year at most, and not into the past."),
        ({"ttl": "2020-01-31"}, 400, "ttl: A token lives for a year at most, and not into the past."),
        ({"ttl": "9999-12-31T23:59:59-23:00"}, 400, "ttl: A token lives for a year at most, and not into the past."),
        ({"ttl": "0001-01-01T00:00+23:59"}, 400, "ttl: A token lives for a year at most, and not into the past."),
        ({"ttl": "99999d"}, 400, "ttl: Say how long, as 30d or 12h, or until when, as 2027-01-31."),
        ({"ttl": "-1d"}, 400, "ttl: Say how long, as 30d or 12h, or until when, as 2027-01-31."),
        ({"ttl": "٣d"}, 400, "ttl: Say how long, as 30d or 12h, or until when, as 2027-01-31."),
        ({"ttl": "for ever"}, 400, "ttl: Say how long, as 30d or 12h, or until when, as 2027-01-31."),
        ({"studies": [999_999]}, 404, "No study 999999 that you can see."),
        ({"organizations": [999_999]}, 404, "No organization 999999 that you can see."),
        ({"permissions": ["study:burn"]}, 400, 'permissions[0]: "study:burn" is not a valid choice.'),
        ({"permissions": ["token:manage"]}, 400, 'permissions[0]: "token:manage" is not a valid choice.'),
        ({"permissions": ["catalogue:manage"]}, 403, "No role of yours includes catalogue:manage."),
        ({"clone": True, "permissions": ["study:read"]}, 400, None),
        ({"description": "x" * 256}, 400, None),
        ({"description": "a\0b"}, 400, None),
        ({"studies": list(range(201))}, 400, None),
    ],
)
def test_what_a_token_cannot_be_made_with_is_refused(body: dict[str, Any], status: int, said: str | None):
    answer = create(**body)
    assert answer.status_code == status
    assert said in (None, answer.json()["detail"])
    assert not McpToken.objects.exists()


def test_a_study_out_of_reach_and_one_that_is_not_there_are_refused_alike():
    foreign = create(studies=[study_id(personas.O2)])
    assert foreign.status_code == 404
    assert foreign.json()["detail"] == f"No study {study_id(personas.O2)} that you can see."
    assert create("ll_patient_peter", organizations=[personas.organization_of("Lifespan Lab").pk]).status_code == 404


def test_a_year_and_twelve_hours_and_a_date_are_times_to_live():
    for ttl, expires in (
        ("366d", timezone.now() + timedelta(days=366)),
        ("12h", timezone.now() + timedelta(hours=12)),
        ((timezone.now() + timedelta(days=9)).date().isoformat(), timezone.now() + timedelta(days=9)),
    ):
        row = McpToken.objects.get(pk=create(ttl=ttl).json()["id"])
        assert abs(row.expires - expires) <= timedelta(days=1)


def test_mass_assignment_gives_nothing():
    other = personas.user_of("admin")
    tried = {
        "user": other.pk,
        "userId": other.pk,
        "scope": "user/*.cruds mcp_tokens",
        "expires": "2099-01-01",
        "tokenHash": "0" * 64,
    }
    for name, value in tried.items():
        assert create(**{name: value}).status_code == 400
    assert not McpToken.objects.exists()


def test_nobody_keeps_more_tokens_than_one_looks_through():
    mary = personas.user_of("manager_mary")
    McpToken.objects.bulk_create(
        McpToken(user=mary, token_hash=f"{n:064x}", permissions=[], expires=timezone.now() + timedelta(days=1))
        for n in range(MAX_STANDING)
    )
    assert create().status_code == 409
    McpToken.objects.filter(token_hash=f"{1:064x}").update(revoked=timezone.now())
    assert create().status_code == 201


# Who sees and ends them


def test_each_sees_their_own_and_managers_those_for_their_organization():
    marys, _ = made_for("manager_mary")
    megans, _ = made_for("member_megan", studies=[study_id()])
    toms, _ = made_for(
        "three_org_tom", organizations=[personas.organization_of("Lifespan Lab").pk], studies=[study_id(personas.O2)]
    )
    peters, _ = made_for("ll_patient_peter", studies=[study_id()])

    def listed(name: str) -> list[int]:
        return [row["id"] for row in as_(name).get(TOKENS).json()["results"]]

    assert listed("manager_mary") == [marys.pk, megans.pk, toms.pk]
    assert listed("member_megan") == [megans.pk]
    assert listed("viewer_victor") == []
    assert listed("ll_patient_peter") == [peters.pk]
    assert listed("admin") == [marys.pk, megans.pk, toms.pk, peters.pk]
    seen = as_("manager_mary").get(f"{TOKENS}/{toms.pk}").json()
    assert seen["studies"] == []
    assert [one["name"] for one in seen["organizations"]] == ["Lifespan Lab"]


def test_a_page_is_as_long_as_was_asked_for():
    for _ in range(3):
        made_for("manager_mary")
    page = as_("manager_mary").get(TOKENS, {"page_size": 2}).json()
    assert (page["count"], len(page["results"])) == (3, 2)
    assert len(as_("manager_mary").get(page["next"]).json()["results"]) == 1


def test_a_longer_list_costs_no_more_queries(django_assert_num_queries):
    for _ in range(4):
        made_for("manager_mary", studies=[study_id()], organizations=[personas.organization_of("Lifespan Lab").pk])
    mary = as_("manager_mary")
    with django_assert_num_queries(6) as few:  # the bearer, the page, its count, studies, organizations, the audit row
        mary.get(TOKENS, {"page_size": 1})
    with django_assert_num_queries(len(few)):
        assert len(mary.get(TOKENS).json()["results"]) == 4


@pytest.mark.parametrize(("name", "status"), [("member_megan", 200), ("manager_mary", 200), ("admin", 200)])
def test_a_token_is_revoked_by_its_maker_and_by_who_manages_what_it_is_for(name: str, status: int):
    row, agent = made_for("member_megan", studies=[study_id()])
    assert agent.get("/api/v1/studies").status_code == 200
    answer = as_(name).post(f"{TOKENS}/{row.pk}/revoke")
    assert (answer.status_code, answer.json()["state"]) == (status, "revoked")
    assert agent.get("/api/v1/studies").status_code == 401
    assert agent.get("/FHIR/R5/Patient").status_code == 401
    assert agent.get(INTROSPECT).status_code == 401
    first = answer.json()["revoked"]
    assert as_(name).post(f"{TOKENS}/{row.pk}/revoke").json()["revoked"] == first


@pytest.mark.parametrize("name", ["viewer_victor", "manager_mark", "ll_patient_peter"])
def test_nobody_else_learns_of_a_token(name: str):
    row, agent = made_for("member_megan", studies=[study_id()])
    for method, path in (("get", ""), ("delete", ""), ("post", "/revoke"), ("get", "/uses")):
        answer = getattr(as_(name), method)(f"{TOKENS}/{row.pk}{path}")
        assert (answer.status_code, answer.json()["detail"]) == (404, f"No MCP token {row.pk} that you can see.")
    assert agent.get("/api/v1/studies").status_code == 200


def test_a_deleted_token_is_gone_with_what_it_was_narrowed_to():
    row, agent = made_for("manager_mary", studies=[study_id()])
    assert as_("manager_mary").delete(f"{TOKENS}/{row.pk}").status_code == 204
    assert agent.get("/api/v1/studies").status_code == 401
    assert not McpToken.objects.exists()
    assert not Narrowing.objects.filter(pk=row.narrowing_id).exists()


# A token makes no tokens


@pytest.mark.parametrize("name", ["manager_mary", "admin", "ll_patient_peter"])
def test_an_mcp_token_never_makes_lists_or_ends_tokens(name: str):
    row, agent = made_for(name)
    requests = [("get", ""), ("post", ""), ("get", f"/{row.pk}"), ("delete", f"/{row.pk}")]
    for method, path in (*requests, ("post", f"/{row.pk}/revoke"), ("get", f"/{row.pk}/uses")):
        answer = getattr(agent, method)(f"{TOKENS}{path}", content_type="application/json")
        assert answer.status_code == 403, (method, path)
        assert 'scope="mcp_tokens"' in answer["WWW-Authenticate"]
    assert list(McpToken.objects.values_list("pk", "revoked")) == [(row.pk, None)]


def test_an_mcp_token_makes_no_client_that_would_outlive_it():
    lab = personas.organization_of("Lifespan Lab").pk
    _, agent = made_for("manager_mary", permissions=["organization:manage", "organization:read", "patient:manage"])
    body = {"name": "Mine", "organization": lab, "redirectUris": ["https://evil.example.org/"]}
    assert agent.post("/api/v1/clients", body, content_type="application/json").status_code in (403, 404)


def test_an_application_needs_a_scope_of_its_own_to_make_tokens():
    for scope in ("openid mcp user/*.cruds patient/*.cruds", "openid"):
        answer = as_("manager_mary", scope=scope).post(TOKENS, {}, content_type="application/json")
        assert answer.status_code == 403
    answer = as_("manager_mary", scope="openid mcp_tokens user/*.rs").post(TOKENS, {}, content_type="application/json")
    assert answer.status_code == 201


def test_a_narrowed_login_makes_no_token_that_is_broader():
    mary = personas.user_of("manager_mary")
    narrowing = Narrowing.objects.create(user=mary)
    answer = as_("manager_mary", narrowing=narrowing).post(TOKENS, {}, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("The token is narrowed")
    assert not McpToken.objects.exists()


# Tokens that do not stand


def of_what_does_not_stand() -> list[str]:
    stands, token = create_token(actor=None, door="command", user=personas.user_of("manager_mary"))
    expired, was = create_token(actor=None, door="command", user=personas.user_of("manager_mary"))
    McpToken.objects.filter(pk=expired.pk).update(expires=timezone.now() - timedelta(hours=1))
    return [PREFIX, token[:-1], token + "0", token[:-1] + "!", new_token(), stands.token_hash, was, token.upper()]


def test_what_is_no_token_any_more_or_never_was_is_refused_with_one_sentence():
    said = set()
    for wrong in of_what_does_not_stand():
        for path in ("/api/v1/studies", INTROSPECT, "/FHIR/R5/Patient"):
            answer = bearer(wrong).get(path)
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer["WWW-Authenticate"]
        said.add(bearer(wrong).get(INTROSPECT).json()["detail"])
    assert said == {"The token is not known here, has expired or was revoked: get a new one."}


def test_a_mistyped_token_is_refused_before_the_database_is_asked(django_assert_num_queries):
    mistyped = new_token()[:-1] + "!"
    with django_assert_num_queries(0):
        assert bearer(mistyped).get("/api/v1/studies").status_code == 401


def test_a_token_in_a_url_or_a_body_opens_nothing():
    _, token = create_token(actor=None, door="command", user=personas.user_of("manager_mary"))
    assert Client().get("/api/v1/studies", {"access_token": token, "token": token}).status_code == 401
    assert Client().post("/api/v1/studies", {"access_token": token}).status_code == 401
    assert Client(headers={"Authorization": f"Basic {token}"}).get("/api/v1/studies").status_code == 401
    assert Client(headers={"Authorization": token}).get("/api/v1/studies").status_code == 401


# The right study


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/studies/{id}",
        "/api/v1/studies/{id}/patients",
        "/api/v1/studies/{id}/scope_requests",
        "/api/v1/patients?study_id={id}",
        "/api/v1/observations?studyId={id}",
        "/api/v1/clients?study_id={id}",
        "/FHIR/R5/ResearchStudy/{id}",
        "/FHIR/R5/ResearchStudy/{id}/_history",
        "/FHIR/R5/ResearchStudy?_id={id}",
        "/FHIR/R5/Group/{id}",
        "/FHIR/R5/Patient?_has:Group:member:_id={id}",
        "/FHIR/R5/Observation?patient._has:Group:member:_id={id}",
    ],
)
def test_a_study_that_a_token_does_not_name_is_refused_whether_it_exists_or_not(path: str):
    named = sorted([study_id(), study_id(personas.BP_AND_HR)])
    _, agent = made_for("manager_mary", studies=named)
    assert agent.get(path.format(id=named[0])).status_code == 200
    for other in (study_id(personas.O2), 999_999):
        answer = agent.get(path.format(id=other))
        assert answer.status_code == 403
        assert f"This token is for the studies {named[0]}, {named[1]} only." in answer.content.decode()
    assert AuditEvent.objects.filter(outcome="refused").count() == 2


def test_a_login_narrowed_on_the_consent_page_says_of_other_studies_what_it_says_of_none():
    narrowing = narrow(personas.user_of("manager_mary"), studies=[study_id()])
    login = as_("manager_mary", narrowing=narrowing)
    assert login.get(f"/api/v1/studies/{study_id()}").status_code == 200
    for other in (study_id(personas.BP_AND_HR), 999_999):
        assert login.get(f"/api/v1/studies/{other}").status_code == 404


def test_a_token_for_an_organization_says_of_other_studies_what_it_says_of_none():
    _, agent = made_for("manager_mary", organizations=[personas.organization_of("Lifespan Lab").pk])
    assert agent.get(f"/api/v1/studies/{study_id(personas.O2)}").status_code == 404


# Introspection


def test_a_token_says_what_it_is_good_for():
    row, agent = made_for("manager_mary", studies=[study_id()], description="Nightly")
    answer = agent.get(INTROSPECT)
    said = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert datetime.fromisoformat(said.pop("expires")) == row.expires
    assert datetime.fromisoformat(said.pop("lastUsed")) <= datetime.now(UTC)
    assert said == {
        "active": True,
        "user": row.user_id,
        "userType": "practitioner",
        "studies": [study_id()],
        "organizations": [{"id": personas.organization_of("Lifespan Lab").pk, "role": "named"}],
        "truncated": False,
        "permissions": [
            "access_log:read",
            "catalogue:read",
            "consent:read",
            "observation:read",
            "organization:read",
            "patient:read",
            "practitioner:read",
            "study:read",
        ],
        "scope": "mcp user/*.rs",
        "description": "Nightly",
    }


def test_a_token_is_asked_whether_it_is_for_a_study_or_an_organization():
    lab, saturn = personas.organization_of("Lifespan Lab").pk, personas.organization_of("Saturn School of Data Science")
    _, agent = made_for("viewer_victor", organizations=[lab])
    assert agent.get(INTROSPECT, {"study_id": study_id()}).json()["permissions"] == [
        "consent:read",
        "observation:read",
        "organization:read",
        "patient:read",
        "practitioner:read",
        "study:read",
    ]
    assert agent.get(INTROSPECT, {"organizationId": lab}).status_code == 200
    for elsewhere in ({"study_id": study_id(personas.O2)}, {"study_id": 999_999}, {"organization_id": saturn.pk}):
        answer = agent.get(INTROSPECT, elsewhere)
        assert (answer.status_code, answer.json()["detail"]) == (403, "This token is not for that place.")
    assert agent.get(INTROSPECT, {"study_id": "x"}).status_code == 400


def test_other_tokens_are_told_that_this_is_not_for_them():
    answer = as_("manager_mary").get(INTROSPECT)
    assert (answer.status_code, answer.json()["detail"][:22]) == (403, "An MCP token says here")


# The trail


def test_making_and_ending_a_token_is_in_the_trail_and_says_which():
    made = create(studies=[study_id()]).json()["id"]
    as_("manager_mary").post(f"{TOKENS}/{made}/revoke")
    as_("manager_mary").delete(f"{TOKENS}/{made}")
    events = AuditEvent.objects.filter(action__contains="mcp_token").order_by("pk")
    mary = personas.user_of("manager_mary").pk
    assert [(event.action, event.user_id, event.detail) for event in events] == [
        (action, mary, {"mcp_token": made, "user": mary})
        for action in ("create_mcp_token", "revoke_mcp_token", "delete_mcp_token")
    ]


def test_what_was_done_with_a_token_is_told_by_token():
    row, agent = made_for("member_megan", studies=[study_id()])
    _, another = made_for("member_megan")
    agent.get("/api/v1/patients")
    another.get("/api/v1/studies")
    agent.get(f"/api/v1/studies/{study_id(personas.O2)}")
    uses = as_("member_megan").get(f"{TOKENS}/{row.pk}/uses").json()["results"]
    assert [(use["action"], use["outcome"], use["studyId"]) for use in uses] == [
        ("GET api/v1/patients", "success", None),
        ("GET api/v1/studies/<id:pk>", "refused", study_id(personas.O2)),
    ]
    assert uses[0]["patientIds"]
    kept = AuditEvent.objects.get(action="GET api/v1/patients")
    assert (kept.client_id, kept.token_key) == (f"mcp-token-{row.pk}", row.token_hash)
    to_mary = as_("manager_mary").get(f"{TOKENS}/{row.pk}/uses").json()["results"]
    assert [use["action"] for use in to_mary] == ["GET api/v1/patients"]
    assert row.token_hash not in as_("member_megan").get(f"{TOKENS}/{row.pk}/uses").content.decode()


def test_the_last_use_is_noted_once_a_minute():
    row, agent = made_for("manager_mary")
    agent.get("/api/v1/studies")
    row.refresh_from_db()
    first = row.last_used
    assert first is not None
    agent.get("/api/v1/studies")
    row.refresh_from_db()
    assert row.last_used == first
    McpToken.objects.filter(pk=row.pk).update(last_used=first - timedelta(minutes=2))
    agent.get("/api/v1/studies")
    row.refresh_from_db()
    assert row.last_used == first  # now() of the test's one transaction


def test_who_is_asking_with_an_mcp_token_is_one_plain_statement(django_assert_num_queries):
    _, agent = made_for("manager_mary", studies=[study_id()])
    agent.get("/api/v1/organizations/types")
    with django_assert_num_queries(2) as queries:  # and the audit row
        agent.get("/api/v1/organizations/types")
    assert "core_mcptoken" in queries.captured_queries[0]["sql"]


def test_fhir_finds_what_was_done_with_a_token_for_whose_trail_it_is():
    row, agent = made_for("member_megan", studies=[study_id()])
    agent.get("/api/v1/patients")
    as_("member_megan").get("/api/v1/studies")
    client_of(personas.user_of("admin")).get("/api/v1/patients")

    def found(name: str, identifier: str) -> list[dict[str, Any]]:
        answer = as_(name).get("/FHIR/R5/AuditEvent", {"agent:identifier": identifier, "code:text": "api/v1"})
        assert answer.status_code == 200
        return [entry["resource"] for entry in answer.json().get("entry", [])]

    for name in ("member_megan", "manager_mary", "admin"):
        [event] = found(name, row.client_id)
        assert event["agent"][1]["who"]["identifier"] == {"value": row.client_id}
    assert found("viewer_victor", row.client_id) == []
    assert found("admin", f"|{row.client_id}")
    assert found("admin", "mcp-token-999999") == []
    assert as_("admin").get("/FHIR/R5/AuditEvent", {"agent:identifier": "|"}).status_code == 400


def test_a_misspelt_limit_is_refused_instead_of_making_a_token_for_everything():
    answer = as_("manager_mary").post(TOKENS, {"study": [30001]}, content_type="application/json")
    assert answer.status_code == 400
    assert "study: There is no such field." in answer.json()["detail"]
    assert not McpToken.objects.exists()


def test_a_token_for_consents_alone_neither_reads_nor_changes_who_peter_is():
    _, agent = made_for("ll_patient_peter", permissions=["consent:read"])
    profile = agent.get("/api/v1/users/profile")
    assert profile.status_code == 200
    assert profile.json()["patient"] is None
    changed = agent.patch("/api/v1/users/profile", {"lastName": "Changed"}, content_type="application/json")
    assert changed.status_code == 403
    assert personas.user_of("ll_patient_peter").last_name != "Changed"


def test_an_application_that_may_only_read_makes_no_token_that_writes():
    reader = as_("manager_mary", scope="openid user/*.rs mcp_tokens")
    refused = reader.post(TOKENS, {"permissions": ["patient:manage"]}, content_type="application/json")
    assert refused.status_code == 403
    assert reader.post(TOKENS, {"permissions": ["patient:read"]}, content_type="application/json").status_code == 201


def test_an_agent_for_practitioners_gives_no_role_that_can_do_more_than_itself():
    lab = personas.organization_of("Lifespan Lab").pk
    permissions = ["practitioner:manage", "practitioner:read", "organization:read"]
    _, agent = made_for("manager_mary", permissions=permissions, organizations=[lab])
    body = {"email": "viewer_victor@example.com", "role": "manager"}
    assert agent.post(f"/api/v1/organizations/{lab}/user", body, content_type="application/json").status_code == 403
