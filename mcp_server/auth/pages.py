"""What the browser shows at the end of a login: one small page without scripts, pictures or anything from elsewhere."""

from dataclasses import dataclass
from html import escape

HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)

_HTML = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - JupyterHealth Exchange</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1.5rem;
  color: #1c2733; background: #fff; }}
h1 {{ font-size: 1.6rem; border-left: .4rem solid {color}; padding-left: .8rem; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e8edf2; background: #14191f; }} }}
</style>
</head>
<body><main><h1>{title}</h1><p>{sentence}</p></main></body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    html: str


def _page(status: int, title: str, sentence: str) -> Page:
    color = "#2e7d4f" if status == 200 else "#b3261e"
    return Page(status, _HTML.format(title=escape(title), sentence=escape(sentence), color=color))


LOGGED_IN = _page(200, "You are logged in", "You can close this window and go back to your assistant.")
NOTHING = _page(404, "There is nothing here", "This address waits for the answer to a login, and for nothing else.")
NOT_HERE = _page(421, "There is nothing here", "This address is called 127.0.0.1, and by no other name.")
FOREIGN = _page(
    400, "Another login is under way", "This is not the answer to the login that is under way. It was not used."
)


def failed(sentence: str) -> Page:
    """`sentence` may repeat what a server said, and is no HTML."""
    return _page(400, "You are not logged in", f"{sentence} You can close this window and try again.")
