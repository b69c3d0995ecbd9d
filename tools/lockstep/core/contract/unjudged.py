"""What stands in a contract and nobody judges: told where the two sides differ, never passed silently."""

from __future__ import annotations

from lockstep.core.contract.case import Case, Pair
from lockstep.core.contract.finding import Level

# Fields of OpenAPI 3.1.1, section 4.8, that are judged elsewhere, and those that say nothing about what is sent.
_WORDS = {"summary", "description", "externalDocs", "example", "examples", "tags", "title"}
ROOT = _WORDS | {
    "openapi",
    "info",
    "paths",
    "webhooks",
    "components",
    "security",
    "servers",
    "$self",
}
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
PATH_ITEM = _WORDS | {*METHODS, "parameters", "servers", "$ref"}
OPERATION = _WORDS | {
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "callbacks",
    "deprecated",
    "security",
    "servers",
    "x-sunset",
    "x-stability-level",
}
PARAMETER = _WORDS | {
    "name",
    "in",
    "required",
    "deprecated",
    "allowEmptyValue",
    "style",
    "explode",
    "allowReserved",
    "schema",
    "content",
    "x-sunset",
}
BODY = _WORDS | {"content", "required"}
MEDIA_TYPE = _WORDS | {"schema", "itemSchema", "encoding"}
RESPONSE = _WORDS | {"content", "headers"}
HEADER = PARAMETER
SCHEME = _WORDS | {"type", "name", "in", "scheme", "bearerFormat", "openIdConnectUrl", "flows"}
ENCODING = {"contentType", "style", "explode"}
FLOW = {"authorizationUrl", "tokenUrl", "refreshUrl", "scopes"}
# Hints for people and tools, which change nothing that is sent: told, but no reason for a doubt.
_HINTS = {"links"}
_DIALECTS = ("/draft/2020-12/schema", "/oas/3.1/dialect/base")  # how the addresses of those that are read end
_OURS = "x-lockstep"  # judged by its own rules


def unjudged(case: Case, pair: Pair, known: set[str]) -> None:
    """Notes fields of a place that nobody judges and that differ.

    WARN where somebody needs what the provider says differently or not at all; INFO for what only the provider says,
    for extensions, which a reader may ignore, and for hints.
    """
    ours, theirs = pair.provider.value, pair.needed.value
    for key in sorted((ours.keys() | theirs.keys()) - known):
        old, new = theirs.get(key), ours.get(key)
        if old == new or key == _OURS or (key == "jsonSchemaDialect" and _is_read(old) and _is_read(new)):
            continue
        is_harmless = old is None or key.startswith("x-") or key in _HINTS
        what = f"`{key}` differs, and is not judged"
        level = Level.INFO if is_harmless else Level.WARN
        case.add_as(level, "not-judged", what, pair.below(key), (old, new))


def _is_read(dialect: object) -> bool:
    """Whether schemas of a dialect are read as what they are."""
    return dialect is None or (isinstance(dialect, str) and dialect.removesuffix("#").endswith(_DIALECTS))
