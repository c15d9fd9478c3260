"""What a person is asked to do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    url: str
    user_code: str | None = None
    """In the device flow (RFC 8628 §3.3): the page at `url` asks for it, or shows it to be compared."""

    @property
    def sentence(self) -> str:
        if self.user_code is None:
            return f"Log in here: {self.url}"
        return f"Log in here, on any device: {self.url} (code {self.user_code})"


Show = Callable[[Prompt], Awaitable[None]]
"""Brings it before the person."""
