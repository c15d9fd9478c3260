"""The table of all prompts (MCP server/prompts): which tools to call, in which order, and how to tell what they say.

Their words are ours. What was filled in is checked, and stands in quotation marks where it is text.
"""

from mcp_server.prompts import cohorts, people
from mcp_server.prompts.prompt import Prompt

PROMPTS: dict[str, Prompt] = {prompt.name: prompt for prompt in (*cohorts.PROMPTS, *people.PROMPTS)}
