"""A URL before the person: in the browser where there is one, and in words in any case."""

import asyncio
import os
import sys
import webbrowser


async def show(url: str) -> None:
    sys.stderr.write(f"Log in here: {url}\n")
    sys.stderr.flush()
    if _has_display():
        await asyncio.to_thread(webbrowser.open, url)


def _has_display() -> bool:
    """Without one, Python's webbrowser may start a text browser on the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
