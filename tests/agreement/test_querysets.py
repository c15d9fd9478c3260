"""Django's querysets say what the rules say, for every user of random worlds, and again after rights were taken away."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models import Observation, Organization, Patient, PractitionerOrganization, Study, StudyPatientScopeConsent
from tests.agreement.oracle import Oracle, World
from tests.agreement.worlds import READINGS, Rows, build, worlds
from tests.personas import principal_of

pytestmark = pytest.mark.django_db(transaction=True)

RANDOM_WORLDS = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def take_a_right_away(world: World, rows: Rows, data: st.DataObject) -> None:
    """Remove one membership and withdraw one consent, in the world and in the database."""
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


def seen(queryset, rows):
    """Positions in `rows` of what a queryset gives; a row given twice is a fault."""
    found = list(queryset.values_list("pk", flat=True))
    assert len(found) == len(set(found)), "a row is seen twice"
    return {position for position, row in enumerate(rows) if row.pk in found}


def check_everybody(world: World, rows: Rows) -> None:
    for number, user in enumerate(rows.users):
        oracle, principal = Oracle(world, number), principal_of(user)
        assert seen(Organization.objects.visible_to(principal), rows.organizations) == oracle.organizations()
        assert seen(Study.objects.visible_to(principal), rows.studies) == oracle.studies()
        assert seen(Patient.objects.visible_to(principal), rows.patients) == oracle.patients()
        observations = list(Observation.objects.visible_to(principal).values_list("patient_id", "code_id"))
        grants = {(rows.patients[p].pk, rows.codes[c].pk) for p, c in oracle.grants()}
        assert sorted(observations) == sorted(list(grants) * READINGS)
        assert granted_by_view(user.pk) == grants


def granted_by_view(user_id: int) -> set[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT patient_id, code_id FROM access_observation WHERE user_id = %s", [user_id])
        return set(cursor.fetchall())


@RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_each_person_sees_through_querysets_and_views_what_the_rules_say(world, data):
    rows = build(world)
    check_everybody(world, rows)
    take_a_right_away(world, rows, data)
    check_everybody(world, rows)
