"""What somebody might put into a Coqui model's folder: programs, other classes, paths, other bytes."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clearspot.engines.coqui import CoquiEngine
from clearspot.engines.coqui_tensors import LEGACY_CONFIGS
from clearspot.engines.torch_tensors import read_checkpoint
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.project import Project
from tests.extras.coqui_models import saved
from tests.extras.coqui_voices import TEXTS, Made, grant_of, voice_of

Tiny = Callable[[str], Made]


class Program:
    """What a pickle of this does when it is opened: it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


class Whole(torch.nn.Module):
    """A network saved whole, as one should not."""


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("vits", "model/model.pth"),
        ("vits of many", "model/speakers.pth"),
        ("your_tts", "model/model_se.pth"),
        ("glow_tts", "vocoder/model.pth"),
        ("xtts", "model/model.pth"),
        ("xtts", "model/speakers_xtts.pth"),
    ],
)
def test_a_program_in_a_checkpoint_is_not_run(
    project: Project, tiny: Tiny, tmp_path: Path, kind: str, role: str
) -> None:
    made = tiny(kind).but({role: saved({"model": {"w": torch.ones(1)}, "extra": Program(tmp_path / "was run")})})
    with pytest.raises(Refused, match=r"is not a checkpoint of tensors alone.*it is not opened") as refused:
        CoquiEngine({}).prepare(grant_of(project, made))
    assert role in refused.value.where
    assert not (tmp_path / "was run").exists()


def scripted() -> bytes:
    """A TorchScript archive: a program in a zip."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind", "told"),
    [
        (lambda: saved(Whole()), Refused, "not a checkpoint of tensors alone"),
        (lambda: saved({"model": {}, "config": Path("x")}), Refused, "not a checkpoint of tensors alone"),
        (scripted, Refused, "not a checkpoint of tensors alone"),
        (lambda: b"", Refused, "not a checkpoint of tensors alone"),
        (lambda: b"\x00" * 100, Refused, "not a checkpoint of tensors alone"),
        (lambda: saved({"w": torch.ones(1)})[:-50], Refused, "not a checkpoint of tensors alone"),
        (lambda: saved(torch.ones(1)), BadInput, "is not a checkpoint of Coqui"),
        (lambda: saved({"weights": {}}), BadInput, "is not a checkpoint of Coqui"),
    ],
    ids=["whole network", "a path", "a script", "nothing", "zeros", "half", "a tensor", "no model"],
)
def test_what_is_no_checkpoint(
    project: Project, tiny: Tiny, data: Callable[[], bytes], kind: type[ClearspotError], told: str
) -> None:
    made = tiny("vits").but({"model/model.pth": data()})
    with pytest.raises(kind, match=told):
        CoquiEngine({}).prepare(grant_of(project, made))


def test_the_configuration_in_xtts_own_checkpoint_is_left_where_it_is(project: Project, tiny: Tiny) -> None:
    """XTTS-v2 was published with objects of these classes beside its tensors: nothing is made of them."""
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig

    state = torch.load(io.BytesIO(tiny("xtts").files["model/model.pth"]), weights_only=True)
    before = torch.serialization.get_safe_globals()
    made = tiny("xtts").but({"model/model.pth": saved({"model": state["model"], "config": XttsConfig()})})
    engine = CoquiEngine({})
    assert len(engine.speak(grant_of(project, made), TEXTS["es-ES"], 1.0).samples)
    assert f"{XttsArgs.__module__}.{XttsArgs.__name__}" in LEGACY_CONFIGS
    assert set(torch.serialization.get_safe_globals()) == set(before)


class Friend:
    """A class that some library lets checkpoints name."""


def test_what_others_let_checkpoints_name_does_not_count(project: Project, tiny: Tiny) -> None:
    """torch keeps one list for a process, and Coqui's own dependencies add to it."""
    made = tiny("vits").but({"model/model.pth": saved({"model": {"w": torch.ones(1)}, "extra": Friend()})})
    with torch.serialization.safe_globals([Friend]):
        torch.load(io.BytesIO(made.files["model/model.pth"]), weights_only=True)
        with pytest.raises(Refused, match="not a checkpoint of tensors alone"):
            CoquiEngine({}).prepare(grant_of(project, made))
        assert Friend in torch.serialization.get_safe_globals()


@pytest.mark.parametrize("role", ["model/config.json", "model/model.pth", "model/speakers.json", "model/config_se.json",
                                  "model/model_se.pth", "model/language_ids.json", "reference"])  # fmt: skip
def test_every_file_is_the_one_that_was_consented_to(project: Project, tiny: Tiny, role: str) -> None:
    stage = voice_of(project, tiny("your_tts"))
    grant = stage.authorize(stage.use(locale="en-US"))
    path = stage.weights[role].path
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(Refused, match=rf"{path.name}: is not the file that was named .* it is not opened"):
        CoquiEngine({}).prepare(grant)


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("vits of many", {"model_args.speakers_file": "/etc/passwd"}, r"speakers_file: names '/etc/passwd'"),
        ("vits of many", {"model_args.language_ids_file": "../x.json"}, r"language_ids_file: names '\.\./x\.json'"),
        ("your_tts", {"model_args.d_vector_file": ["a.json"]}, r"d_vector_file: names 'a\.json'"),
        ("your_tts", {"model_args.speaker_encoder_model_path": "https://x/y.pth"}, r"names 'https://x/y\.pth'"),
        ("xtts", {"model_args.tokenizer_file": "/tmp/vocab.json"}, r"tokenizer_file: names '/tmp/vocab\.json'"),
        ("glow_tts", {"audio.stats_path": "scale_stats.npy"}, "audio.stats_path: asks for statistics in a pickle"),
        ("vits", {"characters.characters_class": "os.system"}, "characters: names the code 'os.system'"),
        ("vits", {"text_cleaner": "re"}, "text_cleaner: names the code 're'"),
        ("vits", {"phonemizer": "/bin/sh"}, "phonemizer: names '/bin/sh', which looks like a file"),
    ],
)
def test_a_config_that_leads_elsewhere(
    project: Project, tiny: Tiny, kind: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(Refused, match=told):
        CoquiEngine({}).prepare(grant_of(project, tiny(kind).config(changes)))


@pytest.mark.parametrize("part", ["vocoder", "encoder"])
def test_the_configs_beside_it_are_read_in_the_same_way(project: Project, tiny: Tiny, part: str) -> None:
    kind, role = {"vocoder": ("glow_tts", "vocoder/config.json"), "encoder": ("your_tts", "model/config_se.json")}[part]
    with pytest.raises(Refused, match=r"stats_path: asks for statistics in a pickle"):
        CoquiEngine({}).prepare(grant_of(project, tiny(kind).config({"audio.stats_path": "stats.npy"}, role)))


@pytest.mark.parametrize("table", [{"ana": 0, "bea": 0, "carlos": 1}, {"ana": 0, "bea": 2, "carlos": 3}, {"ana": "x"}])
def test_tables_of_speakers_that_make_no_sense(project: Project, tiny: Tiny, table: dict[str, Any]) -> None:
    made = tiny("vits of many").but({"model/speakers.pth": saved(table)})
    with pytest.raises(BadInput, match="should give each name a place of its own"):
        CoquiEngine({}).prepare(grant_of(project, made))


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", json.dumps("x").encode(), b"[" * 100_000])
def test_tables_that_are_none(project: Project, tiny: Tiny, data: bytes) -> None:
    made = tiny("vits of many").but({"model/language_ids.json": data})
    with pytest.raises(BadInput, match=r"is not JSON|is not a table by names"):
        CoquiEngine({}).prepare(grant_of(project, made))


CLIPS: dict[str, Any] = {
    "no table": ["ana", [0.5] * 12],
    "nobody": {"embedding": [0.5] * 12},
    "no vector": {"name": "ana"},
    "words": {"name": "ana", "embedding": ["x"] * 12},
    "nothing": {"name": "ana", "embedding": []},
    "a square": {"name": "ana", "embedding": [[0.5] * 12]},
    "uneven": {"name": "ana", "embedding": [[0.5], [0.5, 0.5]]},
    "no number": {"name": "ana", "embedding": [None] * 12},
    "another length": {"name": "ana", "embedding": [0.5] * 11},
}


@pytest.mark.parametrize("kind", CLIPS)
def test_vectors_of_speakers_that_are_none(project: Project, tiny: Tiny, kind: str) -> None:
    """Tables that somebody has to mend: nobody tries them again."""
    clips = {"one": {"name": "ana", "embedding": [0.5] * 12}, "two": CLIPS[kind]}
    made = tiny("your_tts").but({"model/speakers.json": json.dumps(clips).encode()})
    with pytest.raises(BadInput, match=r"speakers\.json: two: |should all be of one length"):
        CoquiEngine({}).prepare(grant_of(project, made))


@pytest.mark.parametrize(
    "speaker",
    [[1, 2], {}, {"gpt_cond_latent": [1.0]}, {"a": 1, "b": 2, "c": 3}],
    ids=["a list", "nothing", "no vector", "others"],
)
def test_speakers_of_xtts_that_are_none(project: Project, tiny: Tiny, speaker: Any) -> None:
    made = tiny("xtts").but({"model/speakers_xtts.pth": saved({"Vera": speaker})})
    with pytest.raises(BadInput, match=r"speakers_xtts\.pth: Vera: should hold the tensors speaker_embedding and"):
        CoquiEngine({}).prepare(grant_of(project, made))


def test_speakers_of_xtts_are_read_by_their_names(project: Project, tiny: Tiny) -> None:
    made = tiny("xtts")
    parts = torch.load(io.BytesIO(made.files["model/speakers_xtts.pth"]))["Vera"]
    turned = dict(reversed(parts.items()))
    assert list(turned) != list(parts)
    said = [
        CoquiEngine({}).speak(grant_of(project, each, voice_id=f"vera-{n}"), "Hola.", 1.0).samples
        for n, each in enumerate(
            made.but({"reference": None, "model/speakers_xtts.pth": saved({"Vera": order})}, speaker="Vera")
            for order in (parts, turned)
        )
    ]
    assert np.array_equal(*said)


def test_a_recording_that_is_none(project: Project, tiny: Tiny) -> None:
    made = tiny("your_tts").but({"reference": b"no sound"})
    with pytest.raises(BadInput, match=r"files\.reference: is no sound that can be decoded\. Make it a WAV"):
        CoquiEngine({}).prepare(grant_of(project, made))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory")],
)
def test_want_of_memory_is_the_machines_fault_and_no_files(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal would take earlier deliverables away."""

    def load(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(MachineFault, match="not enough memory"):
        read_checkpoint(saved({"w": torch.ones(1)}), "model.pth")
