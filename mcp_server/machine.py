"""A person's own machine, as a command finds it: which profile, which exchange, which login."""

import argparse
from dataclasses import dataclass
from functools import partial
from typing import Self

from pydantic import SecretStr

from core.policy.errors import InvalidInput
from mcp_server.auth import browser
from mcp_server.auth.login import GivenToken, Login
from mcp_server.auth.profiles import DEFAULT, Profiles, check_name, key_of
from mcp_server.auth.prompt import Show
from mcp_server.auth.token_store import TokenStore
from mcp_server.settings import Endpoint, Exchange, Person, load


@dataclass(frozen=True, slots=True)
class Machine:
    profile: str
    settings: Endpoint
    moved_from: str | None
    """The exchange that the profile was for until now, when a login gives it another."""
    login_wait: float
    mcp_token: SecretStr | None

    @classmethod
    def of(cls, chosen: argparse.Namespace) -> Self:
        """A profile that is known is for its exchange only; `login` may move it. Raises InvalidInput."""
        person = load(Person, profile=chosen.profile)
        name = check_name(person.profile)
        known = Profiles().url_of(name)
        url = chosen.url or known
        moved_from = None if known == url else known
        if moved_from is not None and chosen.run_as != "login":
            raise InvalidInput(f"The profile {name} is for {known}: leave out --url, or log in with it to move there.")
        if chosen.database_url:
            settings: Endpoint = load(Exchange, given_url=url, database_url=chosen.database_url)
        else:
            settings = load(Endpoint, given_url=url)
            if settings.given_url is None and name != DEFAULT:
                raise InvalidInput(f"The profile {name} is new: say once where its exchange is, with --url.")
        return cls(name, settings, moved_from, person.login_wait, person.mcp_token)

    @property
    def exchange(self) -> str:
        """What the person logs in for: the MCP endpoint, or the issuer where the database is asked."""
        return self.settings.issuer if isinstance(self.settings, Exchange) else self.settings.mcp_url

    @property
    def store(self) -> TokenStore:
        return TokenStore(key_of(self.profile, self.exchange))

    def tokens(self, *, on_another_device: bool = False) -> Login | GivenToken:
        """The MCP token that was given, else the login."""
        if self.mcp_token is not None:
            return GivenToken(self.mcp_token.get_secret_value())
        return self.login(browser.show, on_another_device=on_another_device)

    def login(self, show: Show | None, *, on_another_device: bool = False) -> Login:
        """The login that the chosen backend needs."""
        if isinstance(self.settings, Exchange):
            return Login.at_issuer(
                self.exchange, self.store, show, wait=self.login_wait, on_another_device=on_another_device
            )
        return Login.at_endpoint(
            self.exchange,
            self.store,
            show,
            wait=self.login_wait,
            on_another_device=on_another_device,
            remember=partial(Profiles().remember, self.profile, self.exchange),
        )
