"""The rules of everything outside schemas: how much each weighs, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.core.contract.finding import Level


@dataclass(frozen=True)
class OperationRule:
    """A rule.

    Args:
        level: How much a finding of it weighs.
        fix: What to do.
    """

    level: Level
    fix: str


_KEEP = "keep it, or move everybody who uses it first"
_OPTIONAL = "make it optional, or move everybody who calls it first"
_PROMISE = "promise it again, or move everybody who reads it first"
_ACCEPT = "accept it again, or move everybody who sends it first"
_NOTHING = "nothing; it breaks nobody"
_DATE = "write a date such as 2030-01-31"
_LOOK = "look at both sides; nothing here is decided by Lockstep"

# Ids and levels are those of oasdiff 1.35 where it has the rule; ours alone are in OURS below.
_ERR = {
    "api-path-removed-without-deprecation": _KEEP,
    "api-removed-without-deprecation": _KEEP,
    "api-path-removed-before-sunset": _KEEP,
    "api-removed-before-sunset": _KEEP,
    "api-path-sunset-parse": _DATE,
    "api-deprecated-sunset-parse": _DATE,
    "api-sunset-date-too-small": "set a later date",
    "api-sunset-date-changed-too-small": "set a later date",
    "sunset-deleted": "put the date back",
    "api-invalid-stability-level": "write draft, alpha, beta or stable",
    "api-stability-decreased": "keep the level that was promised",
    "new-request-path-parameter": _OPTIONAL,
    "new-required-request-parameter": _OPTIONAL,
    "new-required-request-default-parameter-to-existing-path": _OPTIONAL,
    "request-parameter-became-required": _OPTIONAL,
    "request-parameter-removed-before-sunset": _KEEP,
    "request-parameter-sunset-parse": _DATE,
    "request-parameter-sunset-date-too-small": "set a later date",
    "request-parameter-sunset-date-changed-too-small": "set a later date",
    "request-parameter-sunset-deleted": "put the date back",
    "request-body-added-required": _OPTIONAL,
    "request-body-removed": _ACCEPT,
    "request-body-became-required": _OPTIONAL,
    "request-body-media-type-removed": _ACCEPT,
    "request-body-media-type-schema-added": _ACCEPT,
    "request-body-media-type-item-schema-added": _ACCEPT,
    "request-body-schema-became-false": _ACCEPT,
    "response-body-schema-became-false": _PROMISE,
    "response-success-status-removed": _PROMISE,
    "response-media-type-removed": _PROMISE,
    "response-media-type-name-generalized": _PROMISE,
    "response-media-type-parameter-removed": _PROMISE,
    "response-media-type-parameter-changed": _PROMISE,
    "response-body-media-type-schema-removed": _PROMISE,
    "response-body-media-type-item-schema-removed": _PROMISE,
    "response-body-media-type-item-schema-removed-untyped": _PROMISE,
    "required-response-header-removed": _PROMISE,
    "response-header-became-optional": _PROMISE,
    "api-security-removed": _ACCEPT,
    "api-security-scope-added": _ACCEPT,
    "api-security-anonymous-access-removed": _ACCEPT,
    "api-security-component-type-changed": _ACCEPT,
    "api-security-component-api-key-name-changed": _ACCEPT,
    "api-security-component-api-key-in-changed": _ACCEPT,
    "api-security-component-http-scheme-changed": _ACCEPT,
    "webhook-removed": _PROMISE,
}
_WARN = {
    "request-parameter-removed": _ACCEPT,
    "response-media-type-name-changed": _PROMISE,
    "api-security-component-oauth-url-changed": _ACCEPT,
    "api-security-component-oauth-token-url-changed": _ACCEPT,
    "api-security-component-oauth-refresh-url-changed": _ACCEPT,
    "api-security-component-openid-connect-url-changed": _ACCEPT,
}
_INFO = (
    "endpoint-added",
    "endpoint-deprecated",
    "endpoint-deprecated-with-sunset",
    "endpoint-reactivated",
    "api-path-removed-with-deprecation",
    "api-removed-with-deprecation",
    "api-stability-increased",
    "api-operation-id-added",
    "api-operation-id-removed",
    "api-tag-added",
    "api-tag-removed",
    "new-optional-request-parameter",
    "new-optional-request-default-parameter-to-existing-path",
    "request-parameter-became-optional",
    "request-parameter-deprecated",
    "request-parameter-reactivated",
    "request-parameter-removed-with-deprecation",
    "request-body-added-optional",
    "request-body-became-optional",
    "request-body-media-type-added",
    "request-body-media-type-schema-removed",
    "request-body-media-type-item-schema-removed",
    "response-success-status-added",
    "response-non-success-status-added",
    "response-non-success-status-removed",
    "response-media-type-added",
    "response-media-type-name-specialized",
    "response-media-type-parameter-added",
    "response-body-media-type-schema-added",
    "response-body-media-type-item-schema-added",
    "response-header-added",
    "optional-response-header-removed",
    "api-security-added",
    "api-security-scope-removed",
    "api-security-anonymous-access-added",
    "api-security-component-added",
    "api-security-component-removed",
    "api-security-component-bearer-format-changed",
    "api-security-component-oauth-scope-added",
    "api-security-component-oauth-scope-removed",
    "api-security-component-oauth-scope-changed",
    "api-schema-removed",
    "webhook-added",
)
OURS = {
    "malformed": OperationRule(Level.WARN, "write what OpenAPI has at that place"),
    "not-judged": OperationRule(Level.WARN, _LOOK),
    "request-parameter-serialization-changed": OperationRule(Level.ERR, "write the value as before"),
    "request-parameter-reserved-characters-refused": OperationRule(Level.WARN, _ACCEPT),
    "request-parameter-empty-value-refused": OperationRule(Level.WARN, _ACCEPT),
    "request-parameter-schema-added": OperationRule(Level.WARN, "say in the contract that is needed what is sent"),
    "request-body-encoding-changed": OperationRule(Level.ERR, "write the field as before"),
    "response-header-schema-removed": OperationRule(Level.ERR, _PROMISE),
    "response-header-serialization-changed": OperationRule(Level.ERR, "write the value as before"),
    "webhook-parameter-removed": OperationRule(Level.ERR, _PROMISE),
    "webhook-parameter-became-optional": OperationRule(Level.ERR, _PROMISE),
    "webhook-body-removed": OperationRule(Level.ERR, _PROMISE),
    "webhook-body-became-optional": OperationRule(Level.ERR, _PROMISE),
    "api-security-component-flow-removed": OperationRule(Level.WARN, _ACCEPT),
    "callback-removed": OperationRule(Level.ERR, _PROMISE),
    "callback-added": OperationRule(Level.INFO, _NOTHING),
}
OPERATION_RULES = (
    {name: OperationRule(Level.ERR, fix) for name, fix in _ERR.items()}
    | {name: OperationRule(Level.WARN, fix) for name, fix in _WARN.items()}
    | {name: OperationRule(Level.INFO, _NOTHING) for name in _INFO}
    | OURS
)
