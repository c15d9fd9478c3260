"""Settings that are lists of objects: JSON in an environment variable, or in a file that it names."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

Thing = TypeVar("Thing")


def described(said: str, things: TypeAdapter[list[Thing]]) -> list[Thing]:
    """What a variable says: a JSON list, or the path of a file that holds one.

    Raises ValueError with a sentence that names what is wrong and repeats no secret.
    """
    text = said.strip()
    try:
        if text.startswith("{"):
            raise ValueError("it is one JSON object: put it into a list, [{…}]")
        if text and not text.startswith("["):
            text = Path(text).read_text()
        return things.validate_python(json.loads(text or "[]"))
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON (line {error.lineno})") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
