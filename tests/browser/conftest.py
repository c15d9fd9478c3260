import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from demo.services import Exchange
from tests.browser.landing import Landing, listening


@dataclass(frozen=True)
class WebApplication:
    """A confidential client of the exchange."""

    client_id: str
    client_secret: str = field(repr=False)


@pytest.fixture(scope="session")
def listener() -> Iterator[Landing]:
    with listening() as landing:
        yield landing


@pytest.fixture
def landing(listener: Landing) -> Landing:
    """The redirect URI of whatever client the test is about."""
    listener.requests.queue.clear()
    return listener


@pytest.fixture(scope="session")
def web_application(exchange: Exchange, listener: Landing) -> WebApplication:
    application = WebApplication("web-application-of-the-tests", secrets.token_urlsafe(32))
    exchange.manage(
        "createapplication",
        "confidential",
        "authorization-code",
        "--name=Web application of the tests",
        f"--client-id={application.client_id}",
        f"--client-secret={application.client_secret}",
        f"--redirect-uris={listener.url}",
        f"--post-logout-redirect-uris={listener.url}",
        "--algorithm=RS256",
    )
    return application
