"""`manage.py mcp_token`: tokens for agents, made and ended on the machine itself."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.actions.mcp_tokens import KEPT, sweep_tokens
from core.models import AuditEvent, McpToken, Narrowing
from core.policy.mcp_tokens import PREFIX, is_well_formed, token_hash
from tests import personas
from tests.mcp_tokens import bearer, made_for
from tests.personas import seed_demo_world

pytestmark = pytest.mark.django_db

MARY = "manager_mary@example.com"


@pytest.fixture(autouse=True)
def demo_world(db: None) -> None:
    seed_demo_world()


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("mcp_token", *arguments, stdout=out)
    return out.getvalue()


def told(*arguments: str) -> Any:
    return json.loads(printed(*arguments, "-o", "json"))


def test_create_prints_a_token_that_opens_the_door_and_list_never_shows_it_again():
    study = personas.study_of(personas.BP)
    said = told("create", "--user", MARY, "--study", str(study.pk), "--ttl", "12h", "--description", "Nightly")
    assert is_well_formed(said["token"])
    assert McpToken.objects.get().token_hash == token_hash(said["token"])
    assert [row["id"] for row in bearer(said["token"]).get("/api/v1/studies").json()["results"]] == [study.pk]
    shown = printed("list") + printed("describe", str(said["id"])) + printed("list", "-o", "json")
    assert PREFIX not in shown
    assert token_hash(said["token"]) not in shown
    assert "Nightly" in printed("list")


def test_a_table_has_a_line_for_each_token_and_one_for_each_thing_to_know():
    assert printed("list").split() == ["id", "user", "state", "expires", "lastUsed", "description"]
    made = printed("create", "--user", MARY, "--study", str(personas.study_of(personas.BP).pk))
    assert dict(line.split(maxsplit=1) for line in made.splitlines())["user"] == MARY
    assert personas.BP in made
    _, line = printed("list").splitlines()
    assert line.split()[1:3] == [MARY, "stands"]


def test_list_can_be_of_one_person():
    told("create", "--user", MARY)
    told("create", "--user", "ll_patient_peter@example.com")
    assert [row["user"]["email"] for row in told("list")] == [MARY, "ll_patient_peter@example.com"]
    assert [row["user"]["email"] for row in told("list", "--user", MARY)] == [MARY]


def test_several_studies_organizations_and_permissions_can_be_named():
    studies = [str(personas.study_of(name).pk) for name in (personas.BP, personas.BP_AND_HR)]
    lab = str(personas.organization_of("Lifespan Lab").pk)
    named = [part for study in studies for part in ("--study", study)]
    said = told(
        "create", "--user", MARY, *named, "--organization", lab, "--permission", "study:read", "--permission",
        "patient:manage",
    )  # fmt: skip
    assert [str(study["id"]) for study in said["studies"]] == sorted(studies)
    assert [str(one["id"]) for one in said["organizations"]] == [lab]
    assert (said["permissions"], said["scope"]) == (["patient:manage", "study:read"], "mcp user/*.cruds")


def test_revoke_and_delete_end_a_token_and_leave_their_rows_in_the_trail():
    token = told("create", "--user", MARY)
    assert told("revoke", str(token["id"]))["state"] == "revoked"
    assert bearer(token["token"]).get("/api/v1/studies").status_code == 401
    deleted = told("delete", str(token["id"]))
    assert (deleted["id"], deleted["state"]) == (token["id"], "deleted")
    assert not McpToken.objects.exists()
    events = (
        AuditEvent.objects.filter(action__endswith="_mcp_token")
        .order_by("pk")
        .values_list("action", "user_id", "detail")
    )
    detail = {"mcp_token": token["id"], "user": personas.user_of("manager_mary").pk}
    assert list(events) == [(f"{verb}_mcp_token", None, detail) for verb in ("create", "revoke", "delete")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--user", "nobody@example.com"], "Nobody here has the e-mail nobody@example.com."),
        (["create", "--user", MARY, "--ttl", "2y"], "ttl: Say how long"),
        (["create", "--user", MARY, "--ttl", "500d"], "ttl: A token lives for a year at most"),
        (["create", "--user", MARY, "--study", "999999"], "No study 999999 that you can see."),
        (["create", "--user", MARY, "--permission", "catalogue:manage"], "No role of yours includes catalogue:manage."),
        (["create", "--user", MARY, "--permission", "token:manage"], "argument --permission: invalid choice"),
        (["create", "--user", MARY, "--clone", "--study", "1"], "clone: It names all studies"),
        (["create"], "the following arguments are required: --user"),
        (["describe", "1"], "There is no MCP token 1"),
        (["revoke", "1"], "There is no MCP token 1"),
        (["delete", "1"], "There is no MCP token 1"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(arguments: list[str], said: str):
    with pytest.raises(CommandError) as refused:
        printed(*arguments)
    assert said in str(refused.value)
    assert not McpToken.objects.exists()


def test_a_closed_account_gets_no_token():
    mary = personas.user_of("manager_mary")
    mary.is_active = False
    mary.save()
    with pytest.raises(CommandError, match=r"The account is closed|No role of yours"):
        printed("create", "--user", MARY)


def test_tokens_that_ended_long_ago_are_swept_with_what_they_were_narrowed_to():
    study = personas.study_of(personas.BP).pk
    stands, _ = made_for("manager_mary", studies=[study])
    revoked, _ = made_for("manager_mary", studies=[study])
    expired, _ = made_for("manager_mary")
    lately, _ = made_for("manager_mary")
    McpToken.objects.filter(pk=revoked.pk).update(revoked=revoked.created - KEPT)
    McpToken.objects.filter(pk=expired.pk).update(expires=expired.created - KEPT)
    McpToken.objects.filter(pk=lately.pk).update(expires=lately.created)
    assert sweep_tokens() == 2
    assert list(McpToken.objects.values_list("pk", flat=True)) == [stands.pk, lately.pk]
    assert list(Narrowing.objects.values_list("pk", flat=True)) == [stands.narrowing_id]
