"""Weights that are an image already: how they are written, pinned, mounted, carried, and where they are refused."""

from __future__ import annotations

import re

import pytest

from lockstep.core.bindings import Bindings, WeightsBy, refuse_unfit
from lockstep.core.carry import carried_images
from lockstep.core.cluster.prefetch import pullers
from lockstep.core.cluster.state import NodeState
from lockstep.core.component import Component, WeightsImage, parse_component
from lockstep.core.diff import diff
from lockstep.core.errors import Refused
from lockstep.core.inputs import Input, InputKind
from lockstep.core.instance import has_own_name
from lockstep.core.names import GitOid, ImageRef
from lockstep.core.release import PinnedImage, PinnedWeights, Release, format_release, parse_release
from lockstep.core.rules.image import third_party_images, wanted_images
from lockstep.core.rules.instance import unlike
from lockstep.core.source import image_inputs, is_file, is_image
from lockstep.runner.volumes import ImageFiles
from lockstep.runner.workload import parse_deployment
from unit.test_core_compose import composed, ids
from unit.test_core_release import LLM, release_of, sha, weights

WHERE = "registry.example.org:5000/models/llama-8b"
NAMED = PinnedWeights(reference=ImageRef(f"{WHERE}@{sha(8)}"), files=(), path="models/llama")
HEAD = f"""\
name: llm
description: A model.
owner: us
image: {{reference: 'a.test/s@{sha(1)}'}}
command: [x]
contract: api.yaml
"""


def component(weights: str) -> Component:
    return parse_component(f"{HEAD}weights: {weights}\n", "component.yaml", "llm")


def with_named(weights: PinnedWeights = NAMED) -> Release:
    return release_of(llm={"weights": weights})


def llm_of(release: Release, bindings: Bindings | None = None):
    rendered = composed(release, bindings)
    return rendered.instances[ids(rendered)["llm"]]


@pytest.mark.parametrize("tag", ["", ":1.4.0", ":v1_x.Y-2"])
@pytest.mark.parametrize("path", ["models/llama", ".a/..b"])
def test_an_image_is_named_by_its_digest_and_a_tag_is_for_people(tag: str, path: str) -> None:
    found = component(f"{{image: '{WHERE}{tag}@{sha(8)}', path: {path}}}")

    assert found.weights_image == WeightsImage(image=NAMED.reference, path=path)
    assert component(f"{{image: '{WHERE}{tag}@{sha(8)}'}}").weights == WeightsImage(image=NAMED.reference)
    assert found.weights == found.weights_image
    assert found.pointers == ()


def test_a_program_may_have_a_tag_beside_its_digest_too() -> None:
    text = HEAD.replace("a.test/s@", "a.test/s:2.0@")

    found = parse_component(text, "component.yaml", "llm")

    assert found.image is not None
    assert found.image.reference == f"a.test/s@{sha(1)}"


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (f"{{image: '{WHERE}:latest'}}", f"'{WHERE}:latest' is not an image reference pinned by digest"),
        ("{path: models}", "`weights.image` is missing"),
        (f"{{image: '{WHERE}@{sha(8)}', files: []}}", "unknown field `weights.files`"),
        (f"{{image: '{WHERE}@{sha(8)}', path: /models}}", "'/models' is no folder of an image"),
        (f"{{image: '{WHERE}@{sha(8)}', path: a/../b}}", "'a/../b' is no folder of an image"),
        (f"{{image: '{WHERE}@{sha(8)}', path: a/.}}", "'a/.' is no folder of an image"),
        (f"{{image: '{WHERE}@{sha(8)}', path: 'a/$(PORT)'}}", "'a/$(PORT)' is no folder of an image"),
        (f"{{image: '{WHERE}@{sha(8)}', path: 'a:b'}}", "'a:b' is no folder of an image"),
        ("weights/a.bin.dvc", "`weights`: give a list of .dvc files, or `{image: name@sha256:…, path: models}`"),
        ("[../a.bin.dvc]", "`weights.0`: '../a.bin.dvc' leaves the component's folder"),
        ("[a/w.dvc, b/w.dvc]", "two weights have the file name w.dvc"),
        (f"[weights/a.bin.dvc, {{image: '{WHERE}@{sha(8)}'}}]", "`weights.1`: Input should be a valid string"),
    ],
)  # fmt: skip
def test_what_is_written_wrongly_is_one_problem_at_its_line(weights: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        component(weights)

    (finding,) = caught.value.findings
    assert finding.rule == "component/field"
    assert finding.what.startswith(said) or said in finding.what
    assert finding.where == ("component.yaml:7" if "two weights" not in said else finding.where)
    assert "lockstep schema component" in finding.fix


def test_the_schema_shows_both_forms() -> None:
    schema = Component.model_json_schema()

    assert schema["properties"]["weights"]["anyOf"] == [
        {"items": {"type": "string"}, "type": "array"}, {"$ref": "#/$defs/WeightsImage"},
    ]  # fmt: skip
    assert schema["$defs"]["WeightsImage"]["required"] == ["image"]
    assert schema["$defs"]["WeightsImage"]["additionalProperties"] is False


@pytest.mark.parametrize("ending", [f":1.4.0@{sha(8)}", f"@{sha(8)}", ":1.4.0", f":@{sha(8)}"])
def test_the_schema_accepts_what_the_parser_accepts(ending: str) -> None:
    reference = WHERE + ending
    pattern = Component.model_json_schema()["$defs"]["WeightsImage"]["properties"]["image"]["pattern"]

    try:
        WeightsImage.model_validate({"image": reference})
        is_parsed = True
    except ValueError:
        is_parsed = False
    assert (re.search(pattern, reference) is not None) is is_parsed


def test_the_input_is_the_digest_and_the_folder_and_not_the_registry() -> None:
    def inputs(text: str) -> tuple[Input, ...]:
        return image_inputs(LLM, component(text))

    (plain,) = inputs(f"{{image: '{WHERE}@{sha(8)}'}}")
    (folder,) = inputs(f"{{image: '{WHERE}@{sha(8)}', path: models}}")

    assert plain == Input(kind=InputKind.WEIGHTS, path="components/llm/component.yaml weights", oid=GitOid(f"{8:064x}"))
    assert folder.path == "components/llm/component.yaml weights models"
    assert inputs(f"{{image: 'other.test/m:2@{sha(8)}'}}") == (plain,)
    assert image_inputs(LLM, component("[weights/a.bin.dvc]")) == ()
    assert [is_image(one) for one in (plain, folder)] == [True, True]
    assert [is_file(one) for one in (plain, folder)] == [False, False]
    pointer = Input(kind=InputKind.WEIGHTS, path="components/llm/weights/a.bin.dvc", oid=GitOid("a" * 40))
    assert (is_image(pointer), is_file(pointer)) == (False, True)


def test_a_release_reads_back_and_one_without_says_nothing_of_it() -> None:
    release = with_named()

    text = format_release(release)

    assert parse_release(text, "release.yaml") == release
    assert '\n      path: "models/llama"\n' in text
    assert '\n      path: "' not in format_release(with_named(NAMED.model_copy(update={"path": ""})))
    assert '\n      path: "' not in format_release(release_of())


def test_it_is_mounted_by_its_own_name_and_the_folder_is_in_the_variable() -> None:
    item = llm_of(with_named(), Bindings(registry="mirror.test/ours"))

    (deployment,) = [one for one in item.objects if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert {"name": "weights", "image": {"reference": NAMED.reference, "pullPolicy": "IfNotPresent"}} in pod["volumes"]
    env = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    assert env["LOCKSTEP_WEIGHTS"] == "/lockstep/weights/models/llama"
    assert NAMED.reference in item.images
    assert has_own_name(item)
    assert unlike(item, with_named().components[LLM]) == ""
    assert unlike(item, release_of().components[LLM]) != ""
    assert parse_deployment(deployment, {}).mounts["/lockstep/weights"] == ImageFiles(NAMED.reference)


def test_another_digest_or_folder_renames_it_and_its_callers_and_another_host_nothing() -> None:
    def changed(**update: object) -> set[str]:
        before, after = ids(composed(with_named())), ids(composed(with_named(NAMED.model_copy(update=update))))
        return {name for name in before if before[name] != after[name]}

    moved = WHERE.replace("registry.example.org:5000", "mirror.example.org")
    assert changed(reference=ImageRef(f"{WHERE}@{sha(9)}")) == {"llm", "summarizer", "gateway"}
    assert changed(path="models") == {"llm", "summarizer", "gateway"}
    assert changed(reference=ImageRef(f"{moved}@{sha(8)}")) == set()


def test_nothing_can_copy_it_and_stage_says_so() -> None:
    bindings = Bindings(weights=WeightsBy.COPY)
    release = release_of(llm={"weights": NAMED}, ocr={"weights": weights("ocr", copier=True)})

    with pytest.raises(Refused) as caught:
        refuse_unfit(bindings, release, "releases/old/bindings.yaml")

    (finding,) = caught.value.findings
    assert (finding.rule, finding.component, finding.where) == ("bindings/weights", LLM, "releases/old/bindings.yaml")
    assert f"the image {NAMED.reference}, which can only be mounted" in finding.what
    assert "`weights: volume`" in finding.fix


def test_it_is_not_ours_so_no_store_and_no_push_is_asked_for_it() -> None:
    release = with_named()

    assert NAMED.reference not in {one.reference for one in wanted_images(release)}
    assert third_party_images(release) == ((LLM, NAMED.reference),)
    assert [one.reference for one in wanted_images(release)] == [
        one.reference for one in wanted_images(release_of()) if one.reference != weights("llm").reference
    ]


def test_an_archive_carries_every_image_of_one_repository() -> None:
    """Several models may lie in one repository, under tags of their own: none may take the place of another."""
    program = PinnedImage(reference=ImageRef(f"{WHERE}@{sha(7)}"))
    other = PinnedWeights(reference=ImageRef(f"{WHERE}@{sha(9)}"), files=())
    release = release_of(llm={"image": program, "weights": NAMED}, ocr={"weights": other})

    found = {one.digest: one.name for one in carried_images(release) if one.repository == WHERE}

    assert found == {
        sha(7): f"{WHERE}:release-1.0.0",
        sha(8): f"{WHERE}:release-1.0.0_{sha(8).hex}",
        sha(9): f"{WHERE}:release-1.0.0_{sha(9).hex}",
    }


def test_an_archive_carries_an_image_once_that_two_components_mount() -> None:
    release = release_of(llm={"weights": NAMED}, ocr={"weights": NAMED})

    assert [one.name for one in carried_images(release) if one.digest == sha(8)] == [f"{WHERE}:release-1.0.0"]


def test_a_prefetch_brings_it() -> None:
    (pod,) = pullers([NodeState("one", {}, {})], [llm_of(with_named())], [])

    assert NAMED.reference in {one["image"] for one in pod["spec"]["containers"]}


def test_diff_names_the_image_and_the_folder() -> None:
    other = PinnedWeights(reference=ImageRef(f"{WHERE}@{sha(9)}"), files=())

    found = {item.what: (item.old, item.new) for item in diff(with_named(), with_named(other))}

    assert found == {"weights": (NAMED.reference, other.reference), "weights.path": ("models/llama", None)}
