"""What the suite's scenarios expect of the fixture, word for word."""

import re
from typing import Any

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    GetPromptResult,
    ImageContent,
    Prompt,
    PromptArgument,
    PromptMessage,
    Resource,
    ResourceTemplate,
    SamplingMessage,
    TextContent,
    TextResourceContents,
    Tool,
)

_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
_WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
_IMAGE = ImageContent(data=_PNG, mime_type="image/png")


def _resource(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


CONTENT: dict[str, list[ContentBlock]] = {
    "test_simple_text": [TextContent(text="This is a simple text response for testing.")],
    "test_image_content": [_IMAGE],
    "test_audio_content": [AudioContent(data=_WAV, mime_type="audio/wav")],
    "test_embedded_resource": [
        _resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        TextContent(text="Multiple content types test:"),
        _IMAGE,
        _resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
}

SCHEMA_TOOL = "json_schema_2020_12_tool"
HEADER_TOOL = "test_x_mcp_header"
_OF_STRINGS = {
    "test_sampling": ("prompt",),
    "test_elicitation": ("message",),
}
_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def tool(name: str) -> Tool:
    return Tool(name=name, description=f"For the scenario of {name}.", input_schema=_input_schema(name))


def _input_schema(name: str) -> dict[str, Any]:
    if name == SCHEMA_TOOL:
        return _SCHEMA
    if name == HEADER_TOOL:
        return _object(region={"type": "string", "x-mcp-header": "Region"})
    texts = _OF_STRINGS.get(name, ())
    return _object(*texts, **{text: {"type": "string"} for text in texts})


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


USER = _object(
    "username",
    "email",
    username={"type": "string", "description": "User's response"},
    email={"type": "string", "description": "User's email address"},
)
DEFAULTS = _object(
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
_OPTIONS = ["option1", "option2", "option3"]


def _titled(*titles: str) -> list[dict[str, str]]:
    return [{"const": f"value{number}", "title": title} for number, title in enumerate(titles, 1)]


ENUMS = _object(
    untitledSingle={"type": "string", "enum": _OPTIONS},
    titledSingle={"type": "string", "oneOf": _titled("First Option", "Second Option", "Third Option")},
    legacyEnum={
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti={"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
    titledMulti={"type": "array", "items": {"anyOf": _titled("First Choice", "Second Choice", "Third Choice")}},
)


def _form(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = _object(name, **{name: {"type": kind}})
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


NAME = _form("What is your name?", "name")
CONFIRM = _form("Please confirm", "ok", "boolean")
STEP_1 = _form("Step 1: What is your name?", "name")
STEP_2 = _form("Step 2: What is your favorite color?", "color")
CONTEXT = _form("What context should the prompt use?", "context")
GREETING = CreateMessageRequest(
    params=CreateMessageRequestParams(
        messages=[SamplingMessage(role="user", content=TextContent(text="Generate a greeting"))], max_tokens=50
    )
)

RESOURCES = [
    Resource(uri="test://static-text", name="text", description="A text.", mime_type="text/plain"),
    Resource(uri="test://static-binary", name="binary", description="An image.", mime_type="image/png"),
    Resource(uri="test://watched-resource", name="watched", description="To subscribe to.", mime_type="text/plain"),
]
TEMPLATE = ResourceTemplate(
    uri_template="test://template/{id}/data", name="data", description="By id.", mime_type="application/json"
)


def contents(uri: str) -> TextResourceContents | BlobResourceContents | None:
    if uri == "test://static-binary":
        return BlobResourceContents(uri=uri, mime_type="image/png", blob=_PNG)
    if uri == "test://static-text":
        text = "This is the content of the static text resource."
        return TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    if uri == "test://watched-resource":
        return TextResourceContents(uri=uri, mime_type="text/plain", text="Watched.")
    if found := re.fullmatch(r"test://template/([^/]+)/data", uri):
        data = f'{{"id":"{found[1]}","templateTest":true,"data":"Data for ID: {found[1]}"}}'
        return TextResourceContents(uri=uri, mime_type="application/json", text=data)
    return None


def _prompt(name: str, *arguments: str) -> Prompt:
    return Prompt(
        name=name,
        description=f"For the scenario of {name}.",
        arguments=[PromptArgument(name=argument, description=argument, required=True) for argument in arguments],
    )


PROMPTS = [
    _prompt("test_simple_prompt"),
    _prompt("test_prompt_with_arguments", "arg1", "arg2"),
    _prompt("test_prompt_with_embedded_resource", "resourceUri"),
    _prompt("test_prompt_with_image"),
    _prompt("test_input_required_result_prompt"),
]


def prompt(name: str, given: dict[str, str]) -> GetPromptResult | None:
    if name == "test_simple_prompt":
        return prompt_of("This is a simple prompt for testing.")
    if name == "test_prompt_with_arguments":
        return prompt_of(f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'")
    if name == "test_prompt_with_embedded_resource":
        embedded = _resource(given.get("resourceUri", ""), "text/plain", "Embedded resource content for testing.")
        return prompt_of("Please process the embedded resource above.", embedded)
    if name == "test_prompt_with_image":
        return prompt_of("Please analyze the image above.", _IMAGE)
    return None


def prompt_of(text: str, *before: ContentBlock) -> GetPromptResult:
    content = [*before, TextContent(text=text)]
    return GetPromptResult(messages=[PromptMessage(role="user", content=block) for block in content])
