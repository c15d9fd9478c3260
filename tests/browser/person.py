"""A person of the demo world at a browser. What they look for are the words on the page, as a person would."""

import re
from collections.abc import Sequence

from playwright.async_api import Page

from core.seed.demo_world import PASSWORD


class Person:
    """`page` is a window of their own; each of them has cookies of their own."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.email = f"{name}@example.com"

    async def open(self, url: str) -> None:
        """Go there, and log in where that is asked."""
        await self.page.goto(url)
        if await self.page.get_by_role("button", name="Log in", exact=True).count():
            await self.log_in()

    async def log_in(self, password: str = PASSWORD) -> None:
        await self.fill("E-mail", self.email)
        await self.fill("Password", password)
        await self.press("Log in")

    async def allow(self, studies: Sequence[str] = ()) -> None:
        """On the consent page: all that is asked for, or only for some of the studies, which are all ticked there."""
        if studies:
            reached = self.page.get_by_role("group", name="Studies").get_by_role("listitem")
            for choice in await reached.all():
                study, _, _ = (await choice.inner_text()).strip().rpartition(" (")  # its organization
                await choice.get_by_role("checkbox").set_checked(study in studies)
        await self.press("Allow")

    async def cancel(self) -> None:
        await self.press("Cancel")

    async def fill(self, label: str, value: str) -> None:
        await self.page.get_by_label(re.compile(rf"^{re.escape(label)}:?$")).fill(value)

    async def follow(self, link: str) -> None:
        await self.page.get_by_role("link", name=link, exact=True).click()

    async def press(self, button: str) -> None:
        await self.page.get_by_role("button", name=button, exact=True).click()
