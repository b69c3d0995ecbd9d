"""Instances: named by what runs, changed by nothing else; templates that cannot reach further than they may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockstep.core.bindings import Binding, Bindings, parse_bindings, refuse_unfit
from lockstep.core.component import Autoscale, Kind, Probes, Resources
from lockstep.core.compose import compose
from lockstep.core.document import parse_objects
from lockstep.core.environment import Rendered
from lockstep.core.errors import Refused
from lockstep.core.instance import Instance, Spec, has_own_name, instance, parse_instance
from lockstep.core.names import ComponentName, ImageRef, InstanceId
from lockstep.core.release import PinnedImage, Release
from lockstep.core.render import TemplateError, Templates, render
from lockstep.core.rules.instance import unlike
from unit.test_core_release import (
    GATEWAY,
    LLM,
    OCR,
    REGISTRY,
    SUMMARIZER,
    TEMPLATES,
    image,
    pinned,
    release_of,
    sha,
    weights,
)


def composed(
    release: Release, bindings: Bindings | None = None, registry: str = REGISTRY, templates: Templates = TEMPLATES
) -> Rendered:
    return compose(release, bindings or Bindings(), registry, templates)


def ids(rendered: Rendered) -> dict[str, InstanceId]:
    return {name.component: name for name in rendered.instances}


BASE = composed(release_of())


def changed_by(**changes: Mapping[str, Any]) -> set[str]:
    """The components whose instances get another id by a change of the small release."""
    before, after = ids(BASE), ids(composed(release_of(**changes)))
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def read_back(item: Instance) -> Instance:
    objects = tuple(document.data for document in parse_objects(item.file().decode(), "it"))
    return parse_instance(item.id, objects)


@pytest.mark.parametrize(
    ("component", "change"),
    [
        (LLM, {"image": image("llm", 2)}),
        (SUMMARIZER, {"prompts": {"summary.prompt": "Summarize {{ text }}. \n"}}),
        (SUMMARIZER, {"prompts": {"other.prompt": "Summarize {{ text }}.\n"}}),
        (LLM, {"config": {"WORDS": "31"}}),
        (LLM, {"resources": Resources(cpu="100m", memory="129Mi")}),
        (LLM, {"resources": Resources(cpu="100m", memory="128Mi", gpu=1)}),
        (OCR, {"probes": Probes(readiness="/ready")}),
        (OCR, {"weights": weights("ocr", 2)}),
        (OCR, {"command": ("python3", "-m", "other")}),
        (OCR, {"port": 8081}),
        (OCR, {"secrets": ("api-key",)}),
        (OCR, {"grace": 31}),
        (GATEWAY, {"config": {"WORDS": "31"}}),
    ],
)
def test_a_change_renames_the_component_and_what_calls_it_and_nothing_else(
    component: str, change: dict[str, Any]
) -> None:
    callers = {GATEWAY: set(), OCR: {GATEWAY}, SUMMARIZER: {GATEWAY}, LLM: {SUMMARIZER, GATEWAY}}[
        ComponentName(component)
    ]

    assert changed_by(**{component: change}) == {component, *callers}


def test_the_gate_and_the_contract_rename_nothing() -> None:
    assert changed_by(llm={"contract": sha(9)}) == set()
    assert changed_by(gateway={"gate": pinned(GATEWAY).gate.model_copy(update={"deadline": 9})}) == set()  # type: ignore[union-attr]


def test_a_call_that_is_dropped_renames_the_caller_alone() -> None:
    assert changed_by(gateway={"calls": {SUMMARIZER: sha(4)}}) == {GATEWAY}


def test_an_id_ignores_replicas_the_registry_and_the_version() -> None:
    base = BASE
    bindings = Bindings(components={name: Binding(replicas=7) for name in (GATEWAY, LLM)})

    assert ids(composed(release_of("2.0.0"))) == ids(base)
    assert ids(composed(release_of(), registry="ghcr.io/tiny")) == ids(base)
    assert ids(composed(release_of(), Bindings(registry="localhost:5000/tiny"))) == ids(base)
    scaled = composed(release_of(), bindings)
    assert ids(scaled) == ids(base)
    assert {name.component: item.replicas for name, item in scaled.instances.items()} == {
        "gateway": 7, "llm": 7, "ocr": 1, "summarizer": 1,
    }  # fmt: skip


def test_an_id_ignores_an_autoscaler_which_then_says_how_many_pods_there_are() -> None:
    plain, scaled = BASE, composed(release_of(llm={"autoscale": Autoscale(max=4, cpu=80), "replicas": 2}))
    bound = composed(release_of(), Bindings(components={LLM: Binding(autoscale=Autoscale(max=9, cpu=50))}))

    assert ids(scaled) == ids(plain) == ids(bound)
    item = scaled.instances[ids(scaled)["llm"]]
    assert has_own_name(item)
    assert read_back(item) == item
    assert item.replicas == 2
    assert [one["spec"].get("replicas") for one in item.objects if one["kind"] == "Deployment"] == [None]
    (autoscaler,) = [one for one in item.objects if one["kind"] == "HorizontalPodAutoscaler"]
    assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == (2, 4)
    assert autoscaler["spec"]["behavior"]["scaleDown"] == {"selectPolicy": "Disabled"}


def test_an_autoscaler_without_room_is_refused() -> None:
    bindings = parse_bindings("components:\n  llm: {replicas: 5, autoscale: {max: 4, cpu: 80}}\n", "bindings.yaml")

    with pytest.raises(Refused) as caught:
        refuse_unfit(bindings, release_of(), "bindings.yaml")

    assert [(finding.rule, finding.component) for finding in caught.value.findings] == [("bindings/field", "llm")]


@pytest.mark.parametrize(
    "binding",
    [
        Binding(config={"WORDS": "31"}),
        Binding(secrets={ComponentName("api-key"): "cloud-key"}),
        Binding(node_selector={"gpu": "h100"}),
        Binding.model_validate({"resources": {"memory": "1Gi"}}),
    ],
)
def test_a_binding_that_changes_pods_changes_the_id(binding: Binding) -> None:
    bound = ids(composed(release_of(), Bindings(components={LLM: binding})))

    assert {name for name, own in ids(BASE).items() if bound[name] != own} == {
        LLM,
        SUMMARIZER,
        GATEWAY,
    }


def test_a_binding_of_an_unknown_component_or_secret_is_refused() -> None:
    bindings = parse_bindings("components:\n  lmm: {replicas: 2}\n  ocr: {secrets: {api-key: x}}\n", "bindings.yaml")

    with pytest.raises(Refused) as caught:
        refuse_unfit(bindings, release_of(), "bindings.yaml")

    assert [(finding.rule, finding.component) for finding in caught.value.findings] == [
        ("bindings/unknown", "lmm"),
        ("bindings/unknown", "ocr"),
    ]


def test_bindings_refuse_a_field_that_would_be_ignored() -> None:
    with pytest.raises(Refused) as caught:
        parse_bindings("components:\n  llm:\n    replica: 2\n", "bindings.yaml")

    assert caught.value.findings[0].where == "bindings.yaml:3"


def test_the_order_of_components_changes_nothing() -> None:
    release = release_of()
    backwards = release.model_copy(update={"components": dict(reversed(release.components.items()))})

    one, other = composed(release), composed(backwards)

    assert {name: item.file() for name, item in one.instances.items()} == {
        name: item.file() for name, item in other.instances.items()
    }
    assert (one.front.file(), one.gate.file()) == (other.front.file(), other.gate.file())


def test_callees_are_the_ids_of_what_is_called() -> None:
    rendered = BASE
    own = ids(rendered)

    assert rendered.root == own["gateway"]
    assert rendered.instances[own["gateway"]].callees == tuple(sorted([own["ocr"], own["summarizer"]]))
    assert rendered.instances[own["llm"]].callees == ()
    assert rendered.front.serves == tuple(sorted(own.values()))


def test_an_external_component_is_an_address_and_no_instance() -> None:
    outside = {
        "kind": Kind.EXTERNAL,
        "image": None,
        "command": (),
        "weights": None,
        "secrets": (),
        "address": "https://api.test/v1",
    }

    rendered = composed(release_of(llm=outside))

    assert sorted(ids(rendered)) == ["gateway", "ocr", "summarizer"]
    assert b"https://api.test/v1" in rendered.instances[ids(rendered)["summarizer"]].file()
    assert changed_by(llm={**outside, "address": "https://api.test/v2"}) == {"llm", "summarizer", "gateway"}


def test_a_third_party_image_keeps_its_own_registry() -> None:
    theirs = pinned(LLM).image.model_copy(update={"reference": ImageRef(f"docker.io/vllm/vllm@{sha(1)}"), "code": None})  # type: ignore[union-attr]

    rendered = composed(release_of(llm={"image": theirs}))

    assert f"docker.io/vllm/vllm@{sha(1)}" in rendered.instances[ids(rendered)["llm"]].images


@pytest.mark.parametrize(
    ("moved", "is_same"),
    [("mirror.test/vllm/vllm", True), ("mirror.test/mirror/vllm", False), ("mirror.test/vllm/vllm-openai", False)],
)
def test_an_instance_of_an_image_that_moved_to_another_host_is_what_the_release_pins(
    moved: str, *, is_same: bool
) -> None:
    """An id leaves hosts out, so what is staged keeps the name that it was staged with."""

    def served(name: str) -> Release:
        return release_of(llm={"image": PinnedImage(reference=ImageRef(f"{name}@{sha(1)}"))})

    before, after = (composed(served(name)) for name in ("docker.io/vllm/vllm", moved))

    assert (ids(before) == ids(after)) is is_same
    assert (unlike(before.instances[ids(before)["llm"]], served(moved).components[LLM]) == "") is is_same


PLACEHOLDER = "summarizer-0000000000"
OWN = ids(BASE)["summarizer"]


def with_prompt(prompt: str) -> Instance:
    spec = Spec(
        component=SUMMARIZER,
        pinned=pinned(SUMMARIZER, prompts={"p": prompt}),
        callees={LLM: "llm-0123456789"},
        entry=False,
        registry=REGISTRY,
        node_selector={},
        secret_names={},
        pull_secrets=(),
    )
    return instance(spec, TEMPLATES)


@given(st.text())
@example(PLACEHOLDER)
@example(f"I am {OWN}, {OWN}-prompts and {PLACEHOLDER}.")
@example("---\n{{ x }}\n{% raw %}\n${HOME} $(PORT)\n# no: comment\n\x85\u2028\t\\\"'\r\n")
@example("http://llm-9999999999")
def test_a_prompt_arrives_as_it_was_written_and_its_file_gives_back_the_id(prompt: str) -> None:
    item = with_prompt(prompt)

    again = read_back(item)

    assert has_own_name(again)
    assert again.digest == item.digest
    assert again.file() == item.file()
    assert next(one["data"] for one in again.objects if one["kind"] == "ConfigMap") == {"p": prompt}
    assert again.callees == ("llm-0123456789",)


def test_a_prompt_that_says_the_own_name_of_its_instance_changes_the_name() -> None:
    first = with_prompt("x")

    second = with_prompt(f"x{first.id}")

    assert second.id != first.id
    assert has_own_name(read_back(second))


def test_every_file_gives_back_its_id_and_a_scaled_one_too() -> None:
    for item in BASE.instances.values():
        again = read_back(item)
        assert (again.digest, again.callees, again.images) == (item.digest, item.callees, item.images)
        scaled = Instance(item.id, item.digest, _edited(item, b"replicas: 1", b"replicas: 9"))
        assert has_own_name(parse_instance(item.id, scaled.objects))


def _edited(item: Instance, old: bytes, new: bytes) -> Any:
    data = item.file()
    assert old in data
    return tuple(document.data for document in parse_objects(data.replace(old, new).decode(), "it"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"30"', b'"31"'),
        (b'"Summarize {{ text }}.\\n"', b'"Ignore {{ text }}.\\n"'),
        (f'name: "{OWN}"'.encode(), f'name: "{PLACEHOLDER}"'.encode()),
        (f'value: "{OWN}"'.encode(), f'value: "{PLACEHOLDER}"'.encode()),
        (b"readOnlyRootFilesystem: true", b"readOnlyRootFilesystem: false"),
    ],
)
def test_a_file_that_was_edited_does_not_have_its_own_name(old: bytes, new: bytes) -> None:
    item = BASE.instances[OWN]

    assert not has_own_name(parse_instance(OWN, _edited(item, old, new)))


def test_a_prompt_that_was_edited_to_say_the_own_name_is_seen() -> None:
    """The name is only replaced where the templates put it: the words of a prompt are hashed as they stand."""
    item = with_prompt(PLACEHOLDER)

    edited = _edited(item, f'p: "{PLACEHOLDER}"'.encode(), f'p: "{item.id}"'.encode())

    assert not has_own_name(parse_instance(item.id, edited))


def test_a_comment_in_a_template_changes_no_id_and_an_object_does() -> None:
    text = TEMPLATES["instance.yaml.j2"]
    commented = {**TEMPLATES, "instance.yaml.j2": "{#- a comment -#}\n# another\n" + text}
    other = {**TEMPLATES, "instance.yaml.j2": text.replace("periodSeconds: 5", "periodSeconds: 6")}
    base = ids(BASE)

    assert ids(composed(release_of(), templates=commented)) == base
    assert not set(ids(composed(release_of(), templates=other)).values()) & set(base.values())


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("name: {{ nmae | tojson }}", "'nmae' is undefined"),
        ("name: {{ name }}", "tojson"),
        ("name: {{ name | safe }}", "safe"),
        ("name: {{ name | e }}", "filter"),
        ("name: x{{ 'literal' }}", "tojson"),
        ("name: {{ ''.__class__.__mro__ | tojson }}", "unsafe|undefined"),
        ("name: {{ name.__class__ | tojson }}", "unsafe"),
        ("name: {{ ('{0.__class__}').format(name) | tojson }}", "unsafe"),
        ("name: {{ name | attr('__class__') | tojson }}", "unsafe|attribute"),
        ("name: {{ self.__init__.__globals__ | tojson }}", "unsafe|undefined"),
        ("name: {{ lipsum.__globals__ | tojson }}", "unsafe|undefined"),
        ("name: {{ lipsum() | tojson }}", "undefined"),
        ("name: {{ [1, 2, 3] | random }}", "filter"),
        ("name: {{ 1.5 | tojson }}", "float"),
        ("name: {{ 1 // 0 }}", "zero"),
        ("name: {{ name[ }}", "unexpected"),
        ("name: 1.5", "float"),
        ("name: {{ name | tojson }}: x", "not valid YAML"),
        ("{% include 'other' %}", "loader"),
    ],
)
def test_a_template_that_reaches_too_far_is_an_error_with_its_line(line: str, what: str) -> None:
    with pytest.raises(TemplateError, match=f"(?i){what}") as caught:
        render({"t.j2": f"a: 1\n{line}\n"}, "t.j2", {"name": "x"})

    assert caught.value.where == "charts/objects/t.j2:2"
    assert caught.value.fix


def test_a_template_that_is_missing_says_where() -> None:
    with pytest.raises(TemplateError, match="missing") as caught:
        render({}, "t.j2", {})

    assert caught.value.where == "charts/objects/t.j2"
