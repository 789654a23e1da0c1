"""A small spot that was made before, and what plans and runs say and do about it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearspot import job as job_module
from clearspot.approvals import approve_script, approve_translation
from clearspot.cache import Cache
from clearspot.hashing import sha256_file
from clearspot.project import Project
from clearspot.spot import DISCLOSURE_ID, load_spot
from tests.conftest import NOW, Scene, edit, run_ffmpeg

Call = Callable[..., tuple[int, str, str]]

LINES = ("hello", "offer", "legal")
"""The lines of the small spot, out of the demo's six; its voice speaks so fast that it is over in nine seconds."""

LOCALES, PROFILES = ("es-ES", "it-IT"), ("podcast", "stream")
ORDER = """\
id: lumen-coffee
voice: house
recording: recording.flac
bed: bed.flac
locales:
  es-ES: {markets: [ES]}
  it-IT: {markets: [IT]}
profiles: [podcast, stream]
timing: flow
medium: radio
purpose: advertising
"""
TEA, COCOA = "teas/lumen-tea", "lumen-cocoa"
"""Two more spots: the same in Spanish alone, for podcasts alone."""

NAMES = (COCOA, "lumen-coffee", TEA)
UNCHANGED = dict.fromkeys(NAMES, "unchanged")

STORED = ("transcribe", "align", "speak", "fit", "mix", "encode")
"""What a store keeps, as plans name it."""


# --- the spot ----------------------------------------------------------------------------------------------------


def make_small(scene: Scene, order: str = ORDER) -> Scene:
    """Three lines, two locales, two profiles: as little as has everything."""
    (scene.spot / "spot.yaml").write_text(order, encoding="utf-8")
    for path in (scene.spot / "script.yaml", *(scene.spot / "translations").iterdir()):
        told = path.read_text(encoding="utf-8").splitlines(keepends=True)
        gone = tuple(f"  {line}:" for line in ("roast", "nothing", "tagline"))
        path.write_text("".join(line for line in told if not line.startswith(gone)), encoding="utf-8")
    sine(scene.spot / "recording.flac", 220, 12)
    sine(scene.spot / "bed.flac", 330, 4)
    (scene.spot / "bed.opus").unlink()
    approve(scene.spot)
    return begun(scene)


def made_before(scene: Scene, templates: Path, call: Call) -> Scene:
    """The small spot, made once a session: every test has its own copy of what is there then."""

    def make() -> None:
        make_small(scene)
        assert run(call, scene)[0] == 0

    return once(scene, templates / "made-before", make)


def swept_before(scene: Scene, templates: Path, call: Call) -> Scene:
    """The small spot and two more, one of them further down, all made by a sweep."""

    def make() -> None:
        made_before(scene, templates, call)
        another_spot(scene, "lumen-tea", below="teas")
        another_spot(scene, COCOA)
        assert call("serve", "--once")[0] == 0

    return once(scene, templates / "swept-before", make)


def once(scene: Scene, kept: Path, make: Callable[[], object]) -> Scene:
    """A scene's project as it was made the first time that somebody asked for it."""
    if kept.exists():
        scene.project.root.rename(scene.project.root.with_name("before"))
        shutil.copytree(kept, scene.project.root)
    else:
        make()
        shutil.copytree(scene.project.root, kept)
    return begun(scene)


def begun(scene: Scene) -> Scene:
    """Deliverables go where sweeps put them, and nothing was asked of the engines yet."""
    scene.out = scene.project.root / "out"
    scene.studio.weights = replace(scene.studio.weights, cache=scene.project.root / "no weights")  # never read
    scene.studio.voice.seconds_a_character = 0.02
    scene.studio.voice.asked.clear()
    scene.listener.heard = 0
    scene.hear()
    return scene


def another_spot(scene: Scene, name: str, *, below: str = "") -> Path:
    """A copy of the scene's spot under another id, in Spanish for podcasts. Its approvals hold: no id is in them."""
    folder = scene.spot.parent / below / name
    shutil.copytree(scene.spot, folder)
    order = ORDER.replace("lumen-coffee", name).replace("  it-IT: {markets: [IT]}\n", "")
    (folder / "spot.yaml").write_text(order.replace("podcast, stream", "podcast"), encoding="utf-8")
    return folder


def spot(scene: Scene, name: str) -> Path:
    """Where a spot lies, by its place below ``spots``."""
    return scene.project.root / "spots" / name


def new_words(folder: Path) -> None:
    """A line of the Spanish translation, changed; nobody signed it off."""
    edit(folder / "translations" / "es-ES.yaml", "ahorra un 30 %", "te ahorras un 30 %")


def change(folder: Path) -> None:
    """The same, signed off."""
    new_words(folder)
    approve(folder)


def change_source(scene: Scene) -> None:
    """A line of the script, not of what is heard; the translations are signed off again as they are."""
    edit(scene.spot / "script.yaml", "June 30. Terms apply.", "June 30: terms apply!")
    approve(scene.spot)


def reencode(scene: Scene) -> None:
    """Other bytes of the same recording."""
    sine(scene.spot / "recording.flac", 220, 12, "-compression_level", "0")


def sine(path: Path, hz: int, length_s: int, *more: str) -> None:
    """A file of one tone."""
    run_ffmpeg("-f", "lavfi", "-i", f"sine=frequency={hz}:sample_rate=48000:duration={length_s}", *more, path)


def approve(spot: Path) -> None:
    """Sign off everything as it is now."""
    loaded = load_spot(spot)
    approve_script(loaded, "Ana", NOW)
    for locale in loaded.translations:
        approve_translation(loaded, locale, "Ana", NOW)


# --- plans and runs ----------------------------------------------------------------------------------------------


def plan(call: Call, scene: Scene, *arguments: str, told: str = "") -> dict[str, Any]:
    """What ``clearspot plan --json`` says."""
    code, out, err = call("plan", scene.spot, "--out", scene.out, "--json", *arguments)
    assert (code, err) == (0, told)
    return dict(json.loads(out))


def run(call: Call, scene: Scene, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """What ``clearspot run --json`` says, without Prefect."""
    spot = arguments[0] if arguments and isinstance(arguments[0], Path) else scene.spot
    rest = [each for each in arguments if each is not spot]
    code, out, _ = call("run", spot, "--runner", "inline", "--out", scene.out, "--json", *rest)
    return code, json.loads(out)


def serve(call: Call) -> tuple[int, dict[str, str], dict[str, dict[str, Any]]]:
    """One sweep: its exit code, the state of each spot by its place below ``spots``, and everything it says."""
    code, out, err = call("serve", "--once", "--json")
    assert err == ""
    said = json.loads(out)
    assert said["exit_code"] == code
    spots = {one["spot"].partition("/spots/")[2]: one for one in said["spots"]}
    return code, {name: one["state"] for name, one in spots.items()}, spots


def steps(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every step of a plan by its locale, its stage and what of it: ``es-ES speak offer``."""
    everywhere = {"": plan["steps"], **plan["locales"]}
    return {
        f"{locale} {step['stage']} {step['of']}".strip(): step for locale, each in everywhere.items() for step in each
    }


def again(plan: Mapping[str, Any], *, stages: tuple[str, ...] = STORED) -> dict[str, tuple[str, ...]]:
    """The steps that would be done again, and why; those that only follow have a ``?`` behind their name."""
    return {
        name + "?" * step["follows"]: tuple(step["why"])
        for name, step in steps(plan).items()
        if step["state"] == "again" and step["stage"] in stages
    }


def states(plan: Mapping[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What becomes of each deliverable, and why."""
    return {f"{one['locale']} {one['profile']}": (one["state"], tuple(one["why"])) for one in plan["deliverables"]}


def verdicts(report: Mapping[str, Any]) -> dict[str, str]:
    """What a run says of each deliverable."""
    return {f"{one['locale']} {one['profile']}": one["verdict"] for one in report["deliverables"]}


def keep_caches(monkeypatch: pytest.MonkeyPatch) -> list[Cache]:
    """The cache of each job from now on, to be looked into after its run."""
    caches, open_job = [], job_module.open_job

    def open_and_keep(*given: Any, **named: Any) -> job_module.Job:
        job = open_job(*given, **named)
        caches.append(job.cache)
        return job

    monkeypatch.setattr(job_module, "open_job", open_and_keep)
    return caches


def made(cache: Cache) -> set[str]:
    """What a run did that was not in the store, by the names that plans have for it.

    A line that is spoken again because it has no room is a part of fit.
    """
    return {
        f"{locale} {action.stage} {of}".strip()
        for action in cache.made
        for locale, _, of in [action.about.partition(" ")]
        if action.stage != "speak" or action.inputs["rate"] == 1.0 or of == DISCLOSURE_ID
    }


# --- what lies on the disk ---------------------------------------------------------------------------------------


def everything(*folders: Path) -> dict[str, tuple[str, int]]:
    """Each file below some folders: its digest, and when it was written."""
    return {
        str(path): (sha256_file(path), path.stat().st_mtime_ns)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def essences(out: Path) -> dict[str, str]:
    """The essence of each deliverable, as its receipt has it."""
    return {
        path.name.removesuffix(".receipt.json"): json.loads(path.read_text())["receipt"]["essence_sha256"]
        for path in sorted(out.rglob("*.receipt.json"))
    }


def records(project: Project) -> dict[str, dict[str, Any]]:
    """Every record of a project's store by its key."""
    folder = project.store_dir / "records"
    found = [json.loads(path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return {record["key"]: record for record in found}


def logged(project: Project, event: str) -> Iterator[dict[str, Any]]:
    """What the audit log has of one kind of event."""
    for line in (project.audit_dir / "log.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["event"] == event:
            yield entry["data"]
