import pytest
from django.test import Client


@pytest.mark.parametrize("path", ["/health", "/healthz"])
def test_the_service_says_that_it_is_alive_without_asking_the_database(path: str) -> None:
    response = Client().get(path)  # this test may not use the database
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert response["Cache-Control"] == "no-store"
    assert Client().head(path).status_code == 200


def test_a_probe_needs_neither_the_host_name_nor_tls(settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/healthz", headers={"Host": "172.19.0.2:8000"}).status_code == 200
    assert Client().get("/accounts/login/", headers={"Host": "172.19.0.2:8000"}).status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz/", "/healthz/x", "/Health"])
def test_nothing_else_is_answered_for_health(path: str) -> None:
    assert Client().get(path).status_code == 404


def test_health_is_only_for_reading() -> None:
    assert Client().post("/healthz").status_code == 404
