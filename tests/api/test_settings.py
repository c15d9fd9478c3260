"""/settings: what the exchange tells its users. Everybody reads, superusers write."""

import pytest
from django.test import Client

from core.models import AuditEvent, Setting
from tests import personas
from tests.bearer import client_of

SETTINGS = "/api/v1/settings"


pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]


def as_(name: str) -> Client:
    return client_of(personas.user_of(name))


def put(key: str, value, name: str = "admin"):
    return as_(name).put(f"{SETTINGS}/{key}", {"value": value}, content_type="application/json")


def test_everybody_reads_all_of_them_with_their_defaults():
    said = as_("ll_patient_peter").get(SETTINGS).json()
    assert said == {
        "count": 4,
        "next": None,
        "previous": None,
        "results": [
            {"key": "exchange.name", "value": "JupyterHealth Exchange"},
            {"key": "exchange.privacy_url", "value": ""},
            {"key": "exchange.support_email", "value": ""},
            {"key": "exchange.terms_url", "value": ""},
        ],
    }


def test_what_a_superuser_writes_everybody_reads_and_deleting_brings_the_default_back():
    assert put("exchange.name", "Lake Exchange").json() == {"key": "exchange.name", "value": "Lake Exchange"}
    assert as_("viewer_victor").get(f"{SETTINGS}/exchange.name").json()["value"] == "Lake Exchange"
    event = AuditEvent.objects.get(action="write_setting")
    assert event.user_id == personas.user_of("admin").pk
    assert as_("admin").delete(f"{SETTINGS}/exchange.name").status_code == 204
    assert as_("viewer_victor").get(f"{SETTINGS}/exchange.name").json()["value"] == "JupyterHealth Exchange"


@pytest.mark.parametrize("name", ["manager_mary", "manager_mark", "ll_patient_peter"])
def test_nobody_else_writes(name):
    assert put("exchange.name", "Mine", name).status_code == 403
    assert as_(name).delete(f"{SETTINGS}/exchange.name").status_code == 403
    assert not Setting.objects.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("exchange.name", "x" * 501),
        ("exchange.name", None),
        ("exchange.name", {"a": 1}),
        ("exchange.privacy_url", "javascript:alert(1)"),
        ("exchange.privacy_url", "http://example.org/"),
        ("exchange.support_email", "not an address"),
    ],
)
def test_a_value_of_another_kind_is_refused(key, value):
    response = put(key, value)
    assert (response.status_code, response.json()["detail"][:6]) == (400, "value:")
    assert not Setting.objects.exists()


def test_good_values_of_each_kind_are_kept():
    assert put("exchange.privacy_url", "https://example.org/privacy").status_code == 200
    assert put("exchange.support_email", "help@example.org").status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_there_are_no_other_keys(method):
    response = getattr(as_("admin"), method)(f"{SETTINGS}/secret_key", {"value": "x"}, content_type="application/json")
    assert (response.status_code, response.json()) == (404, {"detail": "No setting secret_key that you can see."})
