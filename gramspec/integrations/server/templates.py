"""From messages to a prompt: the tokenizer's chat template, or a plain one.

Law: the model sees what `tokenizer.apply_chat_template` makes of the messages; without one, a single
message is its text and a line break, and of several each is a line that begins with its role.
Source: Transformers, "Chat templates".
"""

from __future__ import annotations

import json
from typing import Any, cast

from gramspec.integrations.server.errors import ApiError
from gramspec.integrations.server.schemas import ChatRequest


def prompt_of(server: Any, body: ChatRequest) -> list[int]:
    """Token ids of the prompt that messages make.

    Parameters
    ----------
    server : Server
        Whose target has a tokenizer.
    body : ChatRequest
        Messages and tools.

    Raises
    ------
    ApiError
        400 when the template refuses the messages.
    """
    messages = [_plain(message) for message in body.messages]
    tokenizer = getattr(server.target, "tokenizer", None)
    if not getattr(tokenizer, "chat_template", None):
        return cast(list[int], server.ids([plain_prompt(messages)])[0])
    assert tokenizer is not None
    tools = None if body.tools is None else [tool.model_dump(exclude_none=True) for tool in body.tools]
    try:
        text = tokenizer.apply_chat_template(
            messages, tools=tools, add_generation_prompt=True, tokenize=False
        )
    except ImportError:
        raise
    except Exception as error:  # a template raises whatever its author chose
        raise ApiError(
            400,
            f"messages: the model's chat template refuses them: {error}",
            code="invalid_messages",
            param="messages",
        ) from error
    return cast(list[int], server.ids([text], special=False)[0])


def plain_prompt(messages: list[dict[str, Any]]) -> str:
    r"""The prompt that messages make for a model without a chat template.

    Parameters
    ----------
    messages : list of dict
        Role and content of each.

    Examples
    --------
    >>> plain_prompt([{"role": "user", "content": "Is it raining?"}])
    'Is it raining?\n'
    >>> plain_prompt([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])
    'System: Be brief.\nUser: Hello\nAssistant: '
    """
    if len(messages) == 1:
        return f"{_written(messages[0])}\n"
    lines = [f"{message['role'].capitalize()}: {_written(message)}\n" for message in messages]
    return "".join(lines) + "Assistant: "


def _written(message: dict[str, Any]) -> str:
    parts = [message["content"]] if message.get("content") else []
    parts += [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls", ())]
    return "\n".join(parts)


def _plain(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = message.model_dump(exclude_none=True)
    content = found.get("content")
    if isinstance(content, list):
        found["content"] = "".join(part["text"] for part in content)
    elif content is None:
        found["content"] = ""
    return found
