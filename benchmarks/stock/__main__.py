"""`python -m benchmarks.stock PORT`: make tables, a person and two clients in $STOCK_DATABASE_URL, and serve."""

import os
import sys

import django
from django.core.management import call_command
from waitress.server import create_server

from jhe.__main__ import THREADS


def main(port: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.stock.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    _make_people_and_clients()
    from django.core.wsgi import get_wsgi_application

    create_server(
        get_wsgi_application(), listen=f"127.0.0.1:{port}", threads=THREADS, asyncore_use_poll=True, ident=""
    ).run()


def _make_people_and_clients() -> None:
    from django.contrib.auth import get_user_model
    from oauth2_provider.models import Application

    from benchmarks.exchange import EMAIL, SECRET, SERVICE, WEBSITE, WEBSITE_CALLBACK
    from demo.welcome import PASSWORD

    person = get_user_model().objects.create_user(EMAIL, password=PASSWORD)
    common = {"client_secret": SECRET, "client_type": "confidential", "algorithm": "RS256", "user": person}
    Application.objects.create(
        client_id=WEBSITE, authorization_grant_type="authorization-code", redirect_uris=WEBSITE_CALLBACK, **common
    )
    Application.objects.create(client_id=SERVICE, authorization_grant_type="client-credentials", **common)


if __name__ == "__main__":
    main(int(sys.argv[1]))
