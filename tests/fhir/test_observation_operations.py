"""`$lastn` and `$stats`: of what the caller may read, equal to what plain Python computes."""

import statistics

import pytest

from core.models import CodeableConcept, Observation, StudyPatientScopeConsent
from core.seed import scopes
from tests.bearer import client_of
from tests.factories import ObservationFactory
from tests.fhir.test_observations import BASE, record
from tests.personas import patient_of, seed_demo_world, user_of

VALUES = [61, 72, 58, 90, 75.5, 66]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def demo_people():
    seed_demo_world()


@pytest.fixture
def peter():
    return patient_of("ll_patient_peter")


@pytest.fixture
def pulse(peter):
    return [record(peter, when=f"2026-03-0{day}T08:30:00Z", value=value) for day, value in enumerate(VALUES, start=1)]


@pytest.fixture
def megan():
    return client_of(user_of("member_megan"))


def found(client, query):
    answer = client.get(f"{BASE}/Observation/$lastn?{query}")
    assert answer.status_code == 200, answer.content
    return [int(entry["resource"]["id"]) for entry in answer.json()["entry"]]


def stats(client, query):
    answer = client.get(f"{BASE}/Observation/$stats?{query}")
    assert answer.status_code == 200, answer.content
    return [parameter["resource"] for parameter in answer.json().get("parameter", [])]


def figures(resource):
    return {c["code"]["coding"][0]["code"]: c["valueQuantity"]["value"] for c in resource["component"]}


def test_the_last_of_each_kind_is_found_for_each_patient(megan, peter, pulse):
    pamela = patient_of("ll_patient_pamela")
    pressure = ObservationFactory(patient=peter, code=CodeableConcept.objects.get(coding_code=scopes.BLOOD_PRESSURE))
    other = record(pamela)
    assert set(found(megan, "")) == {pulse[-1], pressure.pk, other}
    assert found(megan, f"patient={peter.pk}&code={scopes.HEART_RATE}&max=3") == pulse[:2:-1]
    assert found(megan, f"patient={peter.pk}&code={scopes.HEART_RATE}&date=lt2026-03-03") == [pulse[1]]


def test_the_last_of_what_may_not_be_read_is_not_found(peter, pulse):
    assert found(client_of(user_of("manager_mark")), "") == []
    StudyPatientScopeConsent.objects.filter(patient=peter).update(consented=False)
    assert found(client_of(user_of("member_megan")), f"patient={peter.pk}") == []
    assert found(client_of(user_of("ll_patient_peter")), "") == [pulse[-1]]


def test_the_figures_are_those_of_the_numbers(megan, peter, pulse):
    names = (
        "average,minimum,maximum,count,total-count,median,std-dev,variance,sum,20-percent,80-percent,4-lower,4-upper"
    )
    [resource] = stats(megan, f"subject=Patient/{peter.pk}&code={scopes.HEART_RATE}&statistic={names}")
    lower, middle, upper = statistics.quantiles(VALUES, n=4, method="inclusive")
    fifths = statistics.quantiles(VALUES, n=5, method="inclusive")
    assert figures(resource) == pytest.approx(
        {
            "average": statistics.mean(VALUES),
            "minimum": 58,
            "maximum": 90,
            "count": 6,
            "total-count": 6,
            "median": middle,
            "std-dev": statistics.stdev(VALUES),
            "variance": statistics.variance(VALUES),
            "sum": sum(VALUES),
            "20-percent": fifths[0],
            "80-percent": fifths[3],
            "4-lower": lower,
            "4-upper": upper,
        }
    )
    assert resource["component"][0]["valueQuantity"]["code"] == "/min"
    assert resource["effectivePeriod"]["start"] == "2026-03-01T08:30:00+00:00"


def test_units_are_kept_apart_and_what_was_entered_in_error_does_not_count(megan, peter, pulse):
    Observation.objects.filter(pk=pulse[0]).update(status="entered-in-error")
    Observation.objects.filter(pk=pulse[1]).update(value_unit="1/min")
    found = stats(megan, f"subject={peter.pk}&code={scopes.HEART_RATE}&statistic=count")
    assert sorted(figures(resource)["count"] for resource in found) == [1, 4]


def test_figures_may_be_of_a_while_only(megan, peter, pulse):
    query = f"subject={peter.pk}&coding=https://w3id.org/openmhealth|{scopes.HEART_RATE}&statistic=count"
    [resource] = stats(megan, f"{query}&date=ge2026-03-03&date=lt2026-03-05")
    assert figures(resource) == {"count": 2}
    assert stats(megan, f"{query}&duration=24") == []


def test_who_may_not_read_the_numbers_learns_no_figure(peter, pulse):
    query = f"subject={peter.pk}&code={scopes.HEART_RATE}&statistic=count"
    assert stats(client_of(user_of("manager_mark")), query) == []
    StudyPatientScopeConsent.objects.filter(patient=peter).update(consented=False)
    assert stats(client_of(user_of("member_megan")), query) == []
    assert figures(stats(client_of(user_of("ll_patient_peter")), query)[0]) == {"count": 6}


@pytest.mark.parametrize(
    "query",
    [
        "$lastn?max=0",
        "$lastn?max=many",
        "$lastn?max=100000",
        "$lastn?unknown=1",
        "$lastn?combo-value-quantity=gt5",
        "$stats?subject=1&code=x",
        "$stats?subject=1&code=x&statistic=guess",
        "$stats?code=x&statistic=count",
        "$stats?subject=1&statistic=count",
        "$stats?subject=1&code=x&statistic=count&duration=long",
        "$stats?subject=1&code=x&statistic=count&other=1",
    ],
)
def test_what_cannot_be_asked_is_a_400_with_a_sentence(megan, query):
    answer = megan.get(f"{BASE}/Observation/{query}")
    assert answer.status_code == 400, answer.content
    assert answer.json()["issue"][0]["diagnostics"].endswith(".")


@pytest.mark.parametrize("operation", ["$lastn", "$stats?subject=1&code=x&statistic=count"])
def test_the_operations_need_the_scope_of_a_search(operation):
    client = client_of(user_of("member_megan"), scope="user/Observation.r")
    assert client.get(f"{BASE}/Observation/{operation}").status_code == 403
