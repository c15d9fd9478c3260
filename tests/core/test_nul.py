import pytest
from django.conf import settings
from django.test import Client

REFUSAL = (400, b"A URL and cookies hold no NUL character.\n")


@pytest.mark.parametrize(
    "url", ["/?a=%00", "/?%00", "/accounts/login/?next=/&next=a%00b", "/%00", "/admin/core/patient/%00/change/"]
)
def test_a_nul_in_a_url_is_refused_before_the_database_is_asked(url: str) -> None:
    response = Client().get(url)  # this test may not use the database
    assert (response.status_code, response.content) == REFUSAL


@pytest.mark.parametrize("name", [settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME])
def test_a_nul_in_a_cookie_is_refused_before_the_database_is_asked(name: str) -> None:
    response = Client().get("/", headers={"Cookie": f'{name}="abcdefgh\\000ijklmnop"'})
    assert (response.status_code, response.content) == REFUSAL


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/?a=%2500", "/?a=0", "/?a=%01", "/?a=%C4%80"])
def test_what_only_looks_like_one_does_no_harm(url: str) -> None:
    assert Client().get(url).status_code == 200
