"""A login before the person: in the browser where there is one, and in words in any case."""

import asyncio
import os
import sys
import webbrowser

from mcp_server.auth.prompt import Prompt


async def show(prompt: Prompt) -> None:
    sys.stderr.write(f"{prompt.sentence}\n")
    sys.stderr.flush()
    if prompt.user_code is None and has_display():
        await asyncio.to_thread(webbrowser.open, prompt.url)


def has_display() -> bool:
    """Without one, Python's webbrowser may start a text browser on the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
