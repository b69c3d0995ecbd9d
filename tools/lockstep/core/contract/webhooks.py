"""Webhooks and callbacks: calls that the provider makes, so that it sends what is asked and reads what is answered."""

from __future__ import annotations

from lockstep.core.contract.case import Case, Pair
from lockstep.core.contract.media import content_findings
from lockstep.core.contract.parameters import Parameter, parameters_of
from lockstep.core.contract.paths import Hosted, operations_in, path_items
from lockstep.core.contract.schemas import Direction, Part, Spot, schema_findings
from lockstep.core.contract.unjudged import BODY, METHODS, OPERATION, PARAMETER, PATH_ITEM, RESPONSE, unjudged

_PROVIDER_READS = RESPONSE - {"headers"}


def call_findings(case: Case, provider: Hosted, needed: Hosted) -> None:
    """Notes what is found about a call that the provider makes and whoever needs it answers."""
    pair = Pair(provider.node, needed.node)
    _parameters(case, provider, needed)
    _body(case, pair)
    _answers(case, pair)
    callback_findings(case, pair)
    unjudged(case, pair, OPERATION - {"security"})


def _parameters(case: Case, provider: Hosted, needed: Hosted) -> None:
    ours, theirs = parameters_of(case.provider, provider), parameters_of(case.needed, needed)
    for key, theirs_one in theirs.items():
        if key in ours:
            _one_parameter(case, ours[key], theirs_one)
        elif theirs_one.is_required:
            what = f"{theirs_one} is read, and the provider does not send it"
            case.add("webhook-parameter-removed", what, Pair(provider.node, theirs_one.node))


def _one_parameter(case: Case, ours: Parameter, theirs: Parameter) -> None:
    pair = Pair(ours.node, theirs.node)
    if theirs.is_required and not ours.is_required:
        what = f"{theirs} is read, and the provider may leave it out"
        case.add("webhook-parameter-became-optional", what, pair.below("required"), old=True, new=False)
    schemas = ours.node.get("schema"), theirs.node.get("schema")
    if schemas[0] is not None and schemas[1] is not None:
        spot = Spot(case.operation, Direction.RESPONSE, Part.HEADER, str(theirs))
        schema_findings(case.judge, spot, schemas[0], schemas[1])
        unjudged(case, pair, PARAMETER - {"style", "explode", "content"})
    else:
        unjudged(case, pair, PARAMETER - {"style", "explode", "content", "schema"})


def _body(case: Case, pair: Pair) -> None:
    ours = case.provider.mapping(pair.provider.get("requestBody"))
    theirs = case.needed.mapping(pair.needed.get("requestBody"))
    if theirs is None:
        return
    if ours is None:
        what = f"{case.operation} is read with a body, and the provider sends none"
        case.add("webhook-body-removed", what, Pair(pair.provider, theirs))
        return
    here = Pair(ours, theirs)
    if case.needed.flag(theirs, "required") and not case.provider.flag(ours, "required"):
        what = f"{case.operation} may come without a body"
        case.add("webhook-body-became-optional", what, here.below("required"), old=True, new=False)
    content_findings(case, Spot(case.operation, Direction.RESPONSE, Part.BODY, "the call"), here)
    unjudged(case, here, BODY)


def _answers(case: Case, pair: Pair) -> None:
    ours = case.provider.patterned(pair.provider.get("responses"))
    theirs = case.needed.patterned(pair.needed.get("responses"))
    at = pair.below("responses")
    for status, node in theirs.items():
        wider = next((one for one in (status, f"{status[:1]}XX", "default") if one in ours), None)
        if wider is not None:
            spot = Spot(case.operation, Direction.REQUEST, Part.BODY, f"the answer {status} to the call")
            content_findings(case, spot, Pair(ours[wider], node))
            unjudged(case, Pair(ours[wider], node), _PROVIDER_READS)
        elif status.startswith("2"):
            what = f"the call is answered with {status}, and the provider does not know that answer"
            case.add("response-success-status-removed", what, Pair(at.provider, node), old=status)


def callback_findings(case: Case, pair: Pair) -> None:
    """Notes what is found about the calls that the provider makes because of an operation."""
    ours = case.provider.entries(pair.provider.get("callbacks"))
    theirs = case.needed.entries(pair.needed.get("callbacks"))
    at = pair.below("callbacks")
    for name, node in theirs.items():
        if name in ours:
            _callback(case, name, Pair(ours[name], node))
        else:
            case.add("callback-removed", f"the callback `{name}` is not called any more", Pair(at.provider, node))
    for name in (name for name in ours if name not in theirs):
        case.add("callback-added", f"the callback `{name}` is called too", Pair(ours[name], at.needed))


def _callback(case: Case, name: str, pair: Pair) -> None:
    """Notes what is found about one callback, once for each pair of places: callbacks may lead back to themselves."""
    places = (pair.provider.file, pair.provider.pointer, pair.needed.file, pair.needed.pointer)
    if places in case.seen:
        return
    case.seen.add(places)
    ours, theirs = path_items(case.provider, pair.provider), path_items(case.needed, pair.needed)
    for address, item in theirs.items():
        if address not in ours:
            what = f"the callback `{name}` does not call `{address}` any more"
            case.add("callback-removed", what, Pair(pair.provider, item), old=address, new=sorted(ours))
            continue
        was = dict(operations_in(case.needed, address, item))
        now = dict(operations_in(case.provider, address, ours[address]))
        unjudged(case, Pair(ours[address], item), PATH_ITEM)
        for method in METHODS:
            here = case.of(f"{case.operation} callback:{name} {method.upper()}")
            if method in was and method in now:
                call_findings(here, now[method], was[method])
            elif method in was:
                what = f"the callback `{name}` is not called by {method.upper()} any more"
                here.add("callback-removed", what, Pair(ours[address], was[method].node))
