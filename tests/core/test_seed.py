"""The demo world: what it holds, who reaches it, and that making it again changes nothing."""

from io import StringIO
from threading import Thread
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from core.models import (
    AuditEvent,
    CodeableConcept,
    ConsentHistory,
    Observation,
    Organization,
    Patient,
    Study,
    StudyPatientScopeConsent,
    User,
)
from core.seed import demo_world, scopes
from tests import personas

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> None:
    personas.seed_demo_world()


@pytest.fixture
def demo() -> None:
    call_command("seed", allow_demo_passwords=True)


def rows() -> dict[str, list[Any]]:
    """Every row of every table of the exchange."""
    models = [model for model in apps.get_app_config("core").get_models() if model._meta.managed]
    return {model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in models}


@pytest.mark.usefixtures("demo")
def test_a_second_run_changes_nothing_and_adds_nothing() -> None:
    before = rows()
    call_command("seed", allow_demo_passwords=True)
    assert rows() == before


@pytest.mark.usefixtures("demo")
def test_what_people_changed_in_the_demo_stays_changed() -> None:
    personas.patient_of("ll_patient_peter").enrolments.all().delete()
    User.objects.filter(email="viewer_victor@example.com").update(is_active=False)
    before = rows()
    call_command("seed", allow_demo_passwords=True)
    assert rows() == before


@pytest.mark.usefixtures("people")
def test_root_is_organization_0_above_everything() -> None:
    root = Organization.objects.get(pk=0)
    assert root.name == "ROOT"
    assert set(root.children.values_list("name", flat=True)) == {demo_world.PLANETARY, demo_world.NEPTUNE}
    lab = Organization.objects.get(name="Cosmic Cardio Lab")
    above = []
    while lab.part_of:
        lab = lab.part_of
        above.append(lab.name)
    assert above == ["Cardiology Division", "Department of Medicine", "Neptune Health System", "ROOT"]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("name", personas.EVERYBODY)
def test_everybody_logs_in_with_the_demo_password(name: str) -> None:
    assert personas.user_of(name).check_password("Jhe1234!")


STUDIES_OF = {
    "admin": [personas.BP_AND_HR, personas.BP, personas.BGL, personas.BT, personas.O2],
    "manager_mary": [personas.BP_AND_HR, personas.BP],
    "member_megan": [personas.BP_AND_HR, personas.BP],
    "viewer_victor": [personas.BP_AND_HR, personas.BP],
    "three_org_tom": [personas.BP_AND_HR, personas.BP, personas.BT, personas.O2],
    "manager_mark": [personas.BGL, personas.BT],
    "ll_patient_peter": [personas.BP_AND_HR, personas.BP],
    "ll_patient_pamela": [personas.BP_AND_HR, personas.BP],
    "npl_patient_percy": [personas.BT],
    "ccl_patient_paul": [personas.O2],
    "ccl_cardio_patient_pat": [personas.BGL, personas.O2],
}


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("name", personas.EVERYBODY)
def test_each_persona_sees_their_own_studies(name: str) -> None:
    principal = personas.principal_of(personas.user_of(name))
    assert list(Study.objects.visible_to(principal).values_list("name", flat=True)) == STUDIES_OF[name]


@pytest.mark.usefixtures("people")
def test_peter_has_not_yet_answered_the_second_study() -> None:
    peter = personas.patient_of("ll_patient_peter")
    assert not peter.consents.filter(study=personas.study_of(personas.BP)).exists()
    assert peter.consents.filter(study=personas.study_of(personas.BP_AND_HR), consented=True).count() == 2


@pytest.mark.usefixtures("people")
def test_every_other_request_is_consented_and_every_answer_has_its_history() -> None:
    consents = StudyPatientScopeConsent.objects
    assert consents.count() == consents.filter(consented=True).count() == ConsentHistory.objects.count() == 9
    assert set(ConsentHistory.objects.values_list("before", "after", "method")) == {(None, True, "command")}


@pytest.mark.usefixtures("demo")
def test_every_patient_has_readings_of_what_they_consented_to_and_of_nothing_else() -> None:
    consented = set(StudyPatientScopeConsent.objects.values_list("patient_id", "code_id"))
    assert set(Observation.objects.values_list("patient_id", "code_id").distinct()) == consented


@pytest.mark.usefixtures("demo")
def test_the_making_itself_is_in_the_audit_trail() -> None:
    assert set(AuditEvent.objects.values_list("door", "action")) == {
        ("command", "register_patient"),
        ("command", "enrol"),
        ("command", "record_consents"),
    }


def test_the_demo_passwords_are_refused_where_debug_is_off(settings: Settings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="--allow-demo-passwords"):
        call_command("seed")
    assert not User.objects.exists()


def test_the_vocabulary_alone_needs_no_permission_and_makes_no_people(settings: Settings) -> None:
    settings.DEBUG = False
    call_command("seed", vocabulary=True)
    assert list(CodeableConcept.objects.values_list("coding_code", flat=True)) == [code for _, code, _ in scopes.SCOPES]
    assert Organization.objects.count() == 1
    assert not User.objects.exists()
    assert not Patient.objects.exists()


def test_nothing_is_drawn_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    call_command("seed", allow_demo_passwords=True)
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_drawn_on_stderr_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    call_command("seed", allow_demo_passwords=True)
    assert "Readings of the demo world" in terminal.getvalue()


@pytest.mark.django_db(transaction=True)
def test_two_seeds_at_once_make_one_world() -> None:
    def seed() -> None:
        try:
            call_command("seed", allow_demo_passwords=True)
        finally:
            connection.close()

    threads = [Thread(target=seed) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert User.objects.count() == len(personas.EVERYBODY)
    assert ConsentHistory.objects.count() == 9
