"""Calls of functions: the grammar that a choice of tools means, and the call in a text.

Law: a function that has to be called gets arguments of its schema; a model that is free to call or not would
be held to no grammar, so `auto` is refused.
Source: https://platform.openai.com/docs/guides/function-calling.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from gramspec.integrations.server.errors import ApiError
from gramspec.integrations.server.grammars import Wanted, json_wanted
from gramspec.integrations.server.schemas import ChatRequest, Function, Law, NamedTool

_SPACE = " \t\n\r"


class Call(NamedTuple):
    """A call in a text.

    Attributes
    ----------
    name : str
    arguments : str
        JSON, as written.
    """

    name: str
    arguments: str


class Calling(NamedTuple):
    """The call that a request asks for.

    Attributes
    ----------
    name : str or None
        Of the function; None: the text says which.
    wanted : Wanted
        The grammar of the text.
    """

    name: str | None
    wanted: Wanted

    @property
    def finish(self) -> str:
        """Why a text ends: as OpenAI says it, "stop" where the function was named beforehand."""
        return "stop" if self.name is not None else "tool_calls"

    def read(self, text: str) -> Call:
        """The call in a text of the grammar.

        Parameters
        ----------
        text : str
        """
        return Call(self.name, text) if self.name is not None else _read(text)


def calling(body: ChatRequest) -> Calling | None:
    """The call that a request asks for; None for a text.

    Parameters
    ----------
    body : ChatRequest

    Raises
    ------
    ApiError
        400, naming the field.
    """
    choice = body.tool_choice
    if body.tools is None:
        if choice not in (None, "none"):
            raise _refused("tool_choice", "there are no tools to choose from")
        if body.parallel_tool_calls is not None:
            raise _refused("parallel_tool_calls", "there are no tools to call")
        return None
    functions = [tool.function for tool in body.tools]
    names = [function.name for function in functions]
    if len(set(names)) < len(names):
        raise _refused("tools", "two functions have the same name")
    if choice == "none":
        return None
    if choice in (None, "auto"):
        raise _refused(
            "tool_choice",
            "auto leaves the form of a call to the model, where no grammar holds; take required, a function"
            " by its name, none, or a structural_tag",
        )
    if body.parallel_tool_calls:
        raise _refused("parallel_tool_calls", "one call is written at a time; take false")
    law = body.gramspec or Law()
    if isinstance(choice, NamedTool):
        if choice.function.name not in names:
            raise _refused("tool_choice.function.name", f"there is no tool {choice.function.name[:100]!r}")
        number = names.index(choice.function.name)
        param = f"tools[{number}].function.parameters"
        return Calling(names[number], json_wanted(_parameters(functions[number]), law, param, "tools"))
    schema = {"anyOf": [_call(number, function) for number, function in enumerate(functions)]}
    return Calling(None, json_wanted(schema, law, "tools", "tools"))


def _parameters(function: Function) -> dict[str, Any]:
    if function.parameters is None:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    return function.parameters


def _call(number: int, function: Function) -> dict[str, Any]:
    # An id makes it a resource of its own, so that its references mean what they do alone.
    arguments = {"$id": f"urn:gramspec:tool:{number}", **_parameters(function)}
    return {
        "type": "object",
        "properties": {"name": {"const": function.name}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _read(text: str) -> Call:
    """Name and arguments of an object with these two keys, the arguments as they are spelled."""
    decoder = json.JSONDecoder()
    found: dict[str, tuple[Any, str]] = {}
    at = _after(text, text.index("{") + 1, "")
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        begin = _after(text, _after(text, at, "") + 1, "")
        value, end = decoder.raw_decode(text, begin)
        found[key] = value, text[begin:end]
        at = _after(text, end, ",")
    return Call(found["name"][0], found["arguments"][1])


def _after(text: str, at: int, mark: str) -> int:
    while text[at] in _SPACE or text[at] == mark:
        at += 1
    return at


def _refused(param: str, reason: str) -> ApiError:
    return ApiError(400, f"{param}: {reason}", code="invalid_value", param=param)
