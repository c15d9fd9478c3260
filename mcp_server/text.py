"""Text from data, or from a caller, inside of sentences: every character of it can be seen."""

import json


def visible(text: str) -> str:
    """`text` with what hides, turns or breaks text (controls, zero-width and bidirectional marks, line separators) as
    JSON escapes: between quotation marks it still is the same JSON string.
    """
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def quoted(text: str, most: int = 60) -> str:
    """As a JSON string of `most` characters, so that it cannot pass for words of ours."""
    return visible(json.dumps(text if len(text) <= most else text[: most - 1] + "…", ensure_ascii=False))
