"""From the body of a request to its inputs as they were sent: bytes of images, texts, lists of numbers."""

import json
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any, NamedTuple, NoReturn

from trainyard.errors import printable
from trainyard.serving.limits import Limits, RefusedError

JSON, FORM = "application/json", "multipart/form-data"
RAW = "application/octet-stream"  # an image; image/... is one as well
FIELDS = {  # of a JSON object, by the kind of the network's inputs
    "text": "text", "row of numbers": "values", "row of cells": "values",
}  # fmt: skip
FIELD = "file"  # of a form
HEAD, BOUNDARY = 4096, 70  # the longest head of a part of a form, and RFC 2046's longest boundary
HOW = {
    "image": "the network takes images: send the file as the body, or in a form as `file`",
    "text": 'the network takes texts: send {"text": "..."} as application/json',
    "row of cells": 'the network takes rows of a table: send {"values": [...]}, the cells, as application/json',
    "row of numbers": 'the network takes numbers: send {"values": [...]} as application/json',
}


class Sent(NamedTuple):
    """The inputs of a request."""

    values: list[Any]
    is_list: bool  # whether the answer is a list


def content_type(header: str) -> tuple[str, str]:
    """The type, and the boundary of a form, from a Content-Type header."""
    message = Message()
    message["content-type"] = header
    try:
        boundary = message.get_boundary("")
    except ValueError:  # in a character set that is none, or that it does not fit
        boundary = ""
    return (message.get_content_type() if header else ""), boundary if boundary.isascii() else ""


def check_type(header: str, kind: str) -> str:
    """The type of a body for a network whose inputs are of that kind; RefusedError if it takes none of this type."""
    found, _ = content_type(header)
    fits = found in (FORM, RAW) or found.startswith("image/") if kind == "image" else found == JSON
    if not fits:
        raise RefusedError(415, f"{HOW[kind]}; the request is {printable(found) or 'of no type (Content-Type)'}")
    return found


def parse(header: str, body: bytes, kind: str, limits: Limits) -> Sent:
    """The inputs in a body; RefusedError if there is none, or too many."""
    if not body:
        raise RefusedError(400, f"the request is empty; {HOW[kind]}")
    found, boundary = content_type(header)
    if found == FORM:
        values = list(files(body, boundary.encode(), limits.inputs))
        return Sent(values, len(values) > 1)
    if found != JSON:
        return Sent([body], False)
    content = read_json(body)
    is_list = isinstance(content, list)
    entries: list[Any] = content if is_list else [content]
    if not entries:
        raise RefusedError(422, "the list of inputs is empty")
    if len(entries) > limits.inputs:
        raise RefusedError(413, f"{len(entries):,} inputs are more than {limits.inputs} in a request; send several")
    return Sent([field_of(entry, kind) for entry in entries], is_list)


def read_json(body: bytes) -> Any:
    """What a JSON text says; RefusedError if it is none."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=no_constant)
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"the request is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise RefusedError(400, "the JSON is nested too deeply") from error
    except ValueError as error:
        raise RefusedError(400, f"the request is not JSON: {printable(error, 100)}") from error


def no_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python would read and JSON does not have."""
    raise RefusedError(422, f"{name} is not a number of JSON; numbers must be finite")


def field_of(entry: Any, kind: str) -> Any:
    """The input in {"text": ...} or {"values": ...}."""
    field = FIELDS[kind]
    if not isinstance(entry, dict) or entry.keys() != {field}:
        raise RefusedError(422, f"an input must be an object with `{field}` alone; {HOW[kind]}")
    return entry[field]


def files(body: bytes, boundary: bytes, most: int) -> Iterator[bytes]:
    """The contents of the files in a form; their names mean nothing, and are not read."""
    if not 0 < len(boundary) <= BOUNDARY:
        raise RefusedError(400, "the form names no boundary of 1 to 70 ASCII characters")
    line = b"\r\n--" + boundary
    body = b"\r\n" + body
    count = body.count(line) - 1
    if count > most:
        raise RefusedError(413, f"the form has {count:,} parts, and {most} is the limit; send several requests")
    _, *parts = body.split(line)
    if not parts or not parts[-1].startswith(b"--"):
        raise RefusedError(400, "the form is cut off: its last boundary is missing")
    if not parts[:-1]:
        raise RefusedError(400, "the form has no part; send the image as `file`")
    for part in parts[:-1]:
        yield content_of(part)


def content_of(part: bytes) -> bytes:
    """The content of a part of a form, whose field must be `file`."""
    head, end, content = part.partition(b"\r\n\r\n")
    if not end or len(head) > HEAD or not re.match(rb"[ \t]*\r\n", part):
        raise RefusedError(400, "a part of the form has no head of its own, or one that is too long")
    headers = BytesHeaderParser().parsebytes(head.partition(b"\r\n")[2])
    if (name := headers.get_param("name", header="content-disposition")) != FIELD:
        raise RefusedError(422, f"the field {printable(name, 30)} of the form is unknown; send the image as `{FIELD}`")
    return content
