"""What a request of the web service may take of the database, and what is said when it was too much."""

import json
from contextlib import closing

import psycopg2
import pytest
from django.db import OperationalError, connection
from django.test import RequestFactory

from core.web.unavailable import UnavailableMiddleware
from jhe import embedded
from jhe.__main__ import LIMITS
from tests.settings import DATA_DIR


def test_the_services_connections_end_what_takes_too_long():
    url = embedded.database_url(DATA_DIR)
    with closing(psycopg2.connect(url, options=LIMITS)) as database, database.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("30s", "10s")


@pytest.mark.django_db
def test_what_was_ended_is_told_so_and_can_be_asked_again():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '1ms'")
        with pytest.raises(OperationalError) as ended:
            cursor.execute("SELECT pg_sleep(10)")
    middleware = UnavailableMiddleware(lambda _request: pytest.fail("nobody asks for a page"))
    answer = middleware.process_exception(RequestFactory().get("/"), ended.value)
    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert "took too long" in json.loads(answer.content)["detail"]
