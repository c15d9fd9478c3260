"""A person at a browser: opens the authorization page, signs in, agrees, and is sent back to the client that asked."""

from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from mcp.client.auth import AuthorizationCodeResult

from demo.services import DemoError

PAGES_AT_MOST = 10


@dataclass(frozen=True)
class Person:
    email: str
    password: str

    async def authorize(self, authorization_url: str, redirect_uri: str) -> AuthorizationCodeResult:
        """What the client's redirect URI is called with (RFC 6749 §4.1.2) once this person has signed in and agreed."""
        async with httpx2.AsyncClient() as browser:
            response = await browser.get(authorization_url)
            tried = False
            for _ in range(PAGES_AT_MOST):
                if response.has_redirect_location:
                    target = urljoin(str(response.url), response.headers["Location"])
                    if target.startswith(redirect_uri):
                        return _answer(target)
                    response = await browser.get(target)
                else:
                    action, fields = self._fill_in(response)
                    if tried and "password" in fields:
                        raise DemoError(f"{self.email} could not sign in: the e-mail or the password is wrong.")
                    tried = tried or "password" in fields
                    response = await browser.post(
                        urljoin(str(response.url), action), data=fields, headers={"Referer": str(response.url)}
                    )
        raise DemoError(
            f"{self.email} could not sign in: the login of {urlsplit(authorization_url).netloc} goes in circles."
        )

    def _fill_in(self, response: httpx2.Response) -> tuple[str, dict[str, list[str]]]:
        """The login form or the consent form of a page, filled in: where it goes and what it says."""
        if response.is_error:
            raise DemoError(f"{self.email} could not sign in: {response.url.path} answered {response.status_code}.")
        for action, fields in forms_in(response.text):
            if "password" in fields:
                named = "login" if "login" in fields else "username"
                return action, {**fields, named: [self.email], "password": [self.password]}
            if "allow" in fields:
                return action, fields
        raise DemoError(f"{self.email} could not sign in: {response.url.path} has no form for it.")


def forms_in(page: str) -> list[tuple[str, dict[str, list[str]]]]:
    """Every form of a page as (action, {name: values}), as it would be sent without a change, all buttons pressed."""
    forms = _Forms()
    forms.feed(page)
    return forms.forms


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, list[str]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((attributes.get("action", ""), {}))
        elif tag in ("input", "button") and self.forms and "name" in attributes:
            is_box = attributes.get("type") in ("checkbox", "radio")
            if not is_box or "checked" in attributes:
                self.forms[-1][1].setdefault(attributes["name"], []).append(
                    attributes.get("value", "on" if is_box else "")
                )


def _answer(redirected_to: str) -> AuthorizationCodeResult:
    said = {name: values[0] for name, values in parse_qs(urlsplit(redirected_to).query).items()}
    if "code" not in said:
        raise DemoError(f"The exchange refused the login: {said.get('error_description', said.get('error'))}")
    return AuthorizationCodeResult(code=said["code"], state=said.get("state"), iss=said.get("iss"))
