"""A use file against what its component really sends, and against the answers that it takes.

A request may hold nothing that the use file does not have: a provider that satisfies the use file was never asked
whether it takes more. For an answer it is the other way round: it may hold more, and the consumer must not need it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator

from lockstep.adapters import files
from lockstep.core.contract.contract import Contract, Node, parse_contract, referenced
from lockstep.core.errors import UsageError
from lockstep.truth.lean import lean_value
from lockstep.truth.messages import Exchange, Message, carried, is_json, parsed
from lockstep.truth.schemas import Side, standing_schema

OWED = ("/healthz", "/readyz")  # every instance answers these, whatever its contract says
_CLOSED = "unevaluatedProperties"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True)
class Operation:
    """One operation of a use file; `str()` is its name."""

    method: str
    path: str
    node: Node
    shared: Node | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def values(self, path: str) -> dict[str, str] | None:
        """What stands in the path's braces; None for another path."""
        names = re.findall(r"\{([^}]*)\}", self.path)
        pattern = "([^/]+)".join(re.escape(part) for part in re.split(r"\{[^}]*\}", self.path))
        found = re.fullmatch(pattern, path)
        return dict(zip(names, map(unquote, found.groups()), strict=True)) if found else None


@dataclass(frozen=True)
class Use:
    """A use file."""

    contract: Contract

    def operations(self) -> list[Operation]:
        """What the component may ask, paths without braces first, for they are the better match."""
        places = [
            (path, self.contract.resolve(item)) for path, item in self._below(self.contract.root, "paths").items()
        ]
        found = [
            Operation(method.upper(), path, node, place.get("parameters"))
            for path, place in places
            for method in METHODS
            if (node := place.get(method))
        ]
        return sorted(found, key=lambda one: ("{" in one.path, one.path))

    def asked(self, exchange: Exchange) -> Operation | None:
        """The operation that a request is; None if the use file has none for it."""
        path = urlsplit(exchange.target).path
        known = (one for one in self.operations() if one.method == exchange.method)
        return next((one for one in known if one.values(path) is not None), None)

    def faults(self, exchanges: Iterable[Exchange]) -> list[str]:
        """What is wrong with requests, each fault once; what every instance owes may be asked of any."""
        owed = {(method, path) for method in ("GET", "HEAD") for path in OWED}
        judged = [one for one in exchanges if self.asked(one) or (one.method, one.target) not in owed]
        return sorted({fault for one in judged for fault in self.request_faults(one)})

    def unused(self, exchanges: Iterable[Exchange]) -> list[str]:
        """Operations of the use file that nobody asked."""
        asked = {str(self.asked(exchange)) for exchange in exchanges}
        return [f"{one}: is in the use file, and nobody asked it" for one in self.operations() if str(one) not in asked]

    def media(self, operation: Operation) -> set[str]:
        """The media types that an operation takes."""
        return set(self._content(self._below(operation.node, "requestBody")))

    def request_faults(self, exchange: Exchange) -> list[str]:
        """What a request has that the use file has not, or lacks; empty if it is one that the use file describes."""
        operation = self.asked(exchange)
        if operation is None:
            return [f"{exchange.method} {exchange.target}: is not in the use file"]
        return [f"{operation}: {fault}" for fault in self._request_faults(operation, exchange)]

    def answer_faults(self, exchange: Exchange) -> list[str]:
        """What an answer lacks that the use file counts on; more than that does no harm.

        A refusal that the use file does not name is no fault: a consumer lives with any of them.
        """
        operation = self.asked(exchange)
        if operation is None:
            return []
        response = self._response(operation, exchange.status)
        if response is None:
            is_refusal = not 200 <= exchange.status < 300
            return [] if is_refusal else [f"{operation}: was answered {exchange.status}, which is not in the use file"]
        said = f"{operation}: the answer {exchange.status}: "
        return [said + fault for fault in self._body_faults(response, exchange.answer, Side.ANSWER)]

    def lean_answer(self, operation: Operation, status: int = 0) -> tuple[int, Message]:
        """The least answer that the use file allows: its status and the required fields, nothing else.

        Args:
            operation: One of `operations()`.
            status: Which answer; 0 for the first that is a success.

        Raises:
            UsageError: the use file has no such answer, or no least value is found for it.
        """
        known = [code for code, _ in self._below(operation.node, "responses").items() if code.isdecimal()]
        wanted = str(status) if status else next((code for code in sorted(known) if code.startswith("2")), "")
        if not wanted or (response := self._response(operation, int(wanted))) is None:
            fix = f"give it one of {', '.join(sorted(known)) or 'none'}, or put the answer into the use file"
            raise UsageError(f"{operation} has no answer {wanted or '2xx'}", where=operation.node.file, fix=fix)
        for media, content in self._content(response).items():
            schema = content.get("schema")
            if not is_json(media) or schema is None:
                return int(wanted), Message({"content-type": media})
            whole = standing_schema(self.contract, schema, Side.ANSWER, is_closed=False)
            body = json.dumps(lean_value(whole, f"{self.contract.path}: {operation}: {wanted}")).encode()
            return int(wanted), Message({"content-type": media}, body)
        return int(wanted), Message({})

    def _below(self, node: Node, key: str) -> Node:
        found = node.get(key)
        return self.contract.resolve(found) if found else Node({}, node.file, node.pointer)

    def _response(self, operation: Operation, status: int) -> Node | None:
        responses = self._below(operation.node, "responses")
        for key in (str(status), f"{status // 100}XX", f"{status // 100}xx", "default"):
            if found := responses.get(key):
                return self.contract.resolve(found)
        return None

    def _content(self, node: Node) -> dict[str, Node]:
        return {media.partition(";")[0].strip().lower(): one for media, one in self._below(node, "content").items()}

    def _request_faults(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        yield from self._parameter_faults(operation, exchange)
        body = operation.node.get("requestBody")
        if body is None:
            if exchange.request.body:
                yield "a body was sent, and the use file has none"
            return
        described = self.contract.resolve(body)
        if not exchange.request.body and not exchange.request.media:
            if described.value.get("required") is True:
                yield "the body is missing"
            return
        yield from self._body_faults(described, exchange.request, Side.REQUEST)

    def _body_faults(self, described: Node, message: Message, side: Side) -> Iterator[str]:
        """What is wrong with a body. JSON is judged by its schema; of other media types only the name is."""
        content = self._content(described)
        if not content:
            return
        media = message.media
        wildcards = (media, f"{media.partition('/')[0]}/*", "*/*")
        found = next((content[key] for key in wildcards if key in content), None)
        if found is None:
            yield f"the media type is {media or 'missing'}, the use file has {', '.join(content)}"
        elif is_json(media) and (schema := found.get("schema")) is not None:
            try:
                value = json.loads(message.body)
            except ValueError as error:
                yield f"the body is not JSON: {error}"
                return
            whole = standing_schema(self.contract, schema, side, is_closed=side is Side.REQUEST)
            yield from schema_faults(whole, value, "body")

    def _parameter_faults(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        sent = carried(exchange, operation.values(urlsplit(exchange.target).path) or {})
        known: set[str] = set()
        for parameter in self._parameters(operation):
            name, place = str(parameter.value.get("name")), str(parameter.value.get("in"))
            key = name.lower() if place == "header" else name
            if place == "query":
                known.add(name)
            values = sent.get(place, {}).get(key)
            if values is None:
                if parameter.value.get("required") is True:
                    yield f"the {place} parameter `{name}` is missing"
            elif schema := parameter.get("schema"):
                whole = standing_schema(self.contract, schema, Side.REQUEST, is_closed=True)
                yield from schema_faults(whole, parsed(whole, values), f"{place} parameter `{name}`")
        for name in sorted(sent["query"].keys() - known):
            yield f"the query parameter `{name}` is not in the use file"

    def _parameters(self, operation: Operation) -> list[Node]:
        """Those of the operation, and those of its path that it does not have itself."""
        found: dict[tuple[Any, Any], Node] = {}
        for holder in (operation.shared, operation.node.get("parameters")):
            for _, item in self.contract.resolve(holder).items() if holder else ():
                parameter = self.contract.resolve(item)
                found[parameter.value.get("in"), parameter.value.get("name")] = parameter
        return list(found.values())


def read_use(path: Path) -> Use:
    """The use file at a path, with the files beside it that it refers to.

    Raises:
        InvalidDocument, Refused: it cannot be read; as `parse_contract` says.
    """
    known: dict[str, bytes] = {}
    waiting = [path.name]
    for name in waiting:
        if name not in known and (path.parent / name).is_file():
            known[name] = files.read(path.parent / name)
            waiting += referenced(known[name], name)
    return Use(parse_contract(known, path.name))


def schema_faults(schema: Any, value: Any, what: str) -> Iterator[str]:
    """One line for each thing that is wrong with a value."""
    found = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda one: list(map(str, one.path)))
    for fault in found:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.path)
        if fault.validator != _CLOSED:
            yield f"{what}{place}: {fault.message}"
        elif not any(_explains(other, fault) for other in found):
            yield f"{what}{place}: a field that the use file does not have: {fault.message}"


def _explains(other: Any, fault: Any) -> bool:
    """Whether fields are only unknown because something below is wrong: a part that fails vouches for no field."""
    way, below = list(fault.path), list(other.path)
    return below[: len(way)] == way and (other.validator != _CLOSED or len(below) > len(way))
