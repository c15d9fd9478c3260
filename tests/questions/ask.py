"""Somebody's assistant: it calls tools of the service over HTTP, with their token, and keeps every answer in bounds."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import httpx2
import jsonschema_rs

from mcp_server.results import MAX_TOKENS, tokens_at_most
from mcp_server.tools import TOOLS
from tests.mcp_server.service import called
from tests.questions.seen import Seen
from tests.questions.world import World


class Ask:
    def __init__(self, run: Callable[..., Any], http: httpx2.AsyncClient, token: str, world: World) -> None:
        self._run, self._http, self._token, self._world = run, http, token, world
        self.calls: list[str] = []
        """The tools, call by call."""

    def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer, valid and short enough to be read."""
        result = self._result(tool, arguments)
        assert not result.get("isError"), result["content"]
        assert tokens_at_most("".join(block["text"] for block in result["content"]).encode()) <= MAX_TOKENS
        _schema(tool).validate(result["structuredContent"])
        answer: dict[str, Any] = result["structuredContent"]
        return answer

    def all(self, tool: str, rows: str, **arguments: Any) -> list[dict[str, Any]]:
        """The `rows` of every page, each asked for with the cursor of the one before."""
        page = self(tool, **arguments)
        found: list[dict[str, Any]] = page[rows]
        while page["next_cursor"] is not None:
            page = self(tool, cursor=page["next_cursor"], **arguments)
            found += page[rows]
        assert len(found) == page["total"]
        return found

    def refusal(self, tool: str, **arguments: Any) -> str:
        """The sentence of a call that is refused."""
        result = self._result(tool, arguments)
        assert result.get("isError"), result["structuredContent"]
        [block] = result["content"]
        sentence: str = block["text"]
        return sentence

    def study(self, name: str) -> int:
        """The id of the study that is called so."""
        [study] = [found for found in self("list_studies", query=name)["studies"] if found["name"] == name]
        found: int = study["study_id"]
        return found

    def patient(self, name: str) -> int:
        """The id of the one patient with these words in their name."""
        [patient] = self("search_patients", name=name)["patients"]
        found: int = patient["patient_id"]
        return found

    def leaked_patient(self, name: str) -> int:
        """An id that the asker did not get here."""
        return Seen(self._world, "admin").patient_id(name)

    def leaked_study(self, name: str) -> int:
        return Seen(self._world, "admin").study_id(name)

    def _result(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(tool)
        response = self._run(partial(called, self._http, tool, arguments, token=self._token))
        assert response.status_code == 200, response.text
        result: dict[str, Any] = response.json()["result"]
        return result


@cache
def _schema(tool: str) -> Any:
    return jsonschema_rs.validator_for(TOOLS[tool].listed().output_schema)
