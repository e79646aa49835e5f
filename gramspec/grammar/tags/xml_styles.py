"""The notations of tool calls that are not JSON: how each writes a parameter and its value.

Law: a style says what stands around keys and values; which keys and values there are is the schema's to say.
Source: the styles of xgrammar's ``json_schema`` format, after the chat templates of the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

_AMPERSAND: Final = {"&": "&amp;", '"': "&quot;"}


@dataclass(frozen=True, slots=True)
class Style:
    """How parameters are written.

    Parameters
    ----------
    name : str
    before, after : str
        What stands before and after a key.
    end : str
        What ends a parameter.
    kind : {"plain", "string flag", "type", "wrapped", "nested"}
        What tells the kind of a value. plain: nothing; string flag: an attribute that is true for strings;
        type: an attribute with the JSON type; wrapped: an attribute, and objects and arrays are written in
        the style too; nested: nothing, and objects and arrays are written in the style too.
    stop : str
        What no text in the value may hold; the end if empty.
    value : str
        What stands before the value, after white space; nothing if empty.
    escapes : mapping
        Characters of keys that are written as entities.
    names : str
        Pattern of keys that are not declared; empty: there are none.
    """

    name: str
    before: str
    after: str
    end: str
    kind: Literal["plain", "string flag", "type", "wrapped", "nested"] = "plain"
    stop: str = ""
    value: str = ""
    escapes: Mapping[str, str] = field(default_factory=dict)
    names: str = "[a-zA-Z_][a-zA-Z0-9_]*"

    def key(self, name: str) -> str:
        """A key as it is written."""
        return "".join(self.escapes.get(char, char) for char in name)


def _deepseek(space: str) -> Style:
    return Style(
        "deepseek_xml" if not space else "deepseek_v4_1_xml",
        f'<\uff5cDSML\uff5c{space}parameter name="',
        '"',
        f"</\uff5cDSML\uff5c{space}parameter>",
        "string flag",
    )


STYLES: Final = {
    style.name: style
    for style in (
        Style("qwen_xml", "<parameter=", ">", "</parameter>"),
        Style("minimax_xml", '<parameter name="', '">', "</parameter>"),
        Style("glm_xml", "<arg_key>", "</arg_key>", "</arg_value>", value="<arg_value>"),
        _deepseek(""),
        _deepseek(" "),
        Style(
            "kimi_k3_xml",
            '<|open|>argument key="',
            '"',
            "<|close|>argument<|sep|>",
            "type",
            escapes=_AMPERSAND,
        ),
        Style(
            "cohere_xml",
            '<cofl:value name="',
            '"',
            "</cofl:value>",
            "wrapped",
            escapes={**_AMPERSAND, "<": "&lt;", ">": "&gt;"},
            names='(?:[^\\x00"&<>]|&amp;|&lt;|&gt;|&quot;)+',
        ),
        Style(
            "minimax_m3_xml",
            "]<]minimax[>[<",
            ">",
            "]<]minimax[>[</",
            "nested",
            stop="]<]minimax[>[",
            names="",
        ),
    )
}
