"""Where the MCP server's endpoint for a single study is. Who issues tokens for it and who serves it spell it alike."""

import re

_PATH = re.compile(r"/studies/([1-9][0-9]{0,18})/mcp")
_LARGEST_ID = 2**63 - 1


def study_path(study_id: int) -> str:
    return f"/studies/{study_id}/mcp"


def study_of(path: str) -> int | None:
    """The study whose endpoint is at `path`, as it stands in a URL; None for every other path.

    An id has one spelling: no sign, no leading zero, no escaped letter. Whether there is such a study is not asked.
    """
    match = _PATH.fullmatch(path)
    study_id = int(match[1]) if match else 0
    return study_id if 0 < study_id <= _LARGEST_ID else None
