"""A report about contracts with everything that a report can hold, for tests of its forms."""

from __future__ import annotations

from lockstep.core.contract.finding import ContractFinding, Level, Place
from lockstep.core.contract.forms.report import Asked, Report, Words
from lockstep.core.errors import Finding
from lockstep.core.version import Bump

OCR, USE = "components/ocr/contract/openapi.yaml", "components/gateway/contract/uses/ocr.yaml"
GONE = ContractFinding(
    rule="api-removed-without-deprecation",
    level=Level.ERR,
    operation="POST /ocr",
    what="POST /ocr is needed and is not there",
    fix="keep it, or move everybody who calls it first",
    provider=Place(OCR, 1),
    needed=Place(USE, 6, "/paths/~1ocr/post"),
)
FEWER = ContractFinding(
    rule="request-property-enum-value-removed",
    level=Level.WARN,
    operation="GET /languages",
    what="the request property `mode` is read with fewer values: `fast|exact` is not among them, says @team",
    fix="read `fast|exact` too, until gateway sends it no more",
    provider=Place(OCR, 41, "/paths/~1languages/get/parameters/0/schema/enum"),
    needed=Place(USE, 30, "/paths/~1languages/get/parameters/0/schema/enum"),
    old='["fast|exact", "plain"]',
    new='["plain"]',
)
MORE = ContractFinding(
    rule="response-property-added",
    level=Level.INFO,
    operation="",
    what="the response has the property `hint` too",
    fix="nothing",
    provider=Place(OCR, 52, "/components/schemas/Text/properties/hint"),
    needed=Place(USE, 40, "/components/schemas/Text/properties"),
    new='{"type": "string"}',
    was=Level.WARN,
)
UNREAD = Finding(
    "contract/text",
    "components/llm/contract/openapi.yaml:7",
    "not valid YAML: mapping values are not allowed here",
    "correct the file there",
    "llm",
)
CALLS = Report(
    (
        Asked("gateway calls ocr", OCR, USE, (GONE, FEWER, MORE)),
        Asked("gateway calls embedding", "components/embedding/contract/openapi.yaml", "uses/embedding.yaml", ()),
    ),
    (UNREAD,),
    Level.ERR,
    root="bundles/documents/",
)
DIFF = Report(
    (Asked(f"v1.4.0:{OCR} -> {OCR}", OCR, OCR, (GONE, FEWER, MORE)),),
    (),
    Level.WARN,
    Words("new", "old", "keeps every promise"),
    needed_at="v1.4.0",
    bump=Bump.MAJOR,
)
FINE = Report((Asked("old.yaml -> new.yaml", "new.yaml", "old.yaml", ()),), (), Level.WARN, bump=Bump.NONE)


def plain(text: str, _color: str) -> str:
    """No color."""
    return text
