"""Several exchanges, or several people at one, side by side: a profile is a name for an exchange and a login there.

    profiles.json    {"lab": {"url": "https://lab.example.org/mcp"}}

The profile `default` is not in it: it is for the exchange that --url or JHE_MCP_URL names.
"""

import re
from pathlib import Path

from platformdirs import user_config_path

from core.policy.errors import InvalidInput
from mcp_server.auth.private_file import PrivateFile
from mcp_server.auth.token_store import NAME

DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


class Profiles:
    def __init__(self, folder: Path | None = None) -> None:
        self._file = PrivateFile((folder or user_config_path(NAME)) / "profiles.json")

    def names(self) -> list[str]:
        return sorted(name for name in self._file.read() if self.url_of(name))

    def url_of(self, name: str) -> str | None:
        """The MCP endpoint of the exchange that somebody has logged in to under this name."""
        kept = None if name == DEFAULT else self._file.read().get(name)
        url = kept.get("url") if isinstance(kept, dict) else None
        return url if isinstance(url, str) else None

    async def remember(self, name: str, url: str) -> None:
        if name == DEFAULT or self.url_of(name) == url:
            return
        async with self._file.locked():
            self._file.write({**self._file.read(), name: {"url": url}})


def check_name(name: str) -> str:
    """Raises InvalidInput."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "A profile's name is 1 to 32 letters, digits, dots, dashes and underscores, such as lab: "
            "choose another with --profile or JHE_PROFILE."
        )
    return name


def key_of(name: str, url: str) -> str:
    """Finds a login in the token store. The URL is in it, so that no exchange is sent the tokens of another."""
    return url if name == DEFAULT else f"{name} {url}"


def of_key(key: str) -> tuple[str, str]:
    """The name of the profile and the URL that `key_of` put together."""
    name, separated, url = key.partition(" ")
    return (name, url) if separated else (DEFAULT, key)
