"""The Coqui engine with tiny models of every kind, real in every layer: `make test-extras`."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clearspot.engines import coqui_config, coqui_models
from clearspot.engines.coqui import CoquiEngine
from clearspot.engines.coqui_parts import parts_of
from clearspot.engines.protocols import Speech
from clearspot.errors import BadInput, MachineFault
from clearspot.project import Project
from tests.conftest import CHECKOUT
from tests.extras.coqui_models import MAKERS, RATE_HZ, recording, saved
from tests.extras.coqui_voices import TEXTS, Made, grant_of, voice_of

Tiny = Callable[[str], Made]
kinds = pytest.mark.parametrize("kind", MAKERS)


@pytest.fixture(scope="module")
def engine() -> CoquiEngine:
    return CoquiEngine({})


@pytest.fixture
def fresh(engine: CoquiEngine) -> CoquiEngine:
    """An engine that has heard nothing yet, and has the models that others loaded."""
    made = CoquiEngine({})
    made._models = engine._models
    return made


def digest(speech: Speech) -> str:
    return hashlib.sha256(speech.samples.tobytes()).hexdigest()


# --- speaking ----------------------------------------------------------------------------------------------------


@kinds
def test_every_kind_of_model_speaks_every_locale_of_its_own(
    engine: CoquiEngine, project: Project, tiny: Tiny, kind: str
) -> None:
    made = tiny(kind)
    stage = voice_of(project, made)
    for locale in made.locales:
        speech = engine.speak(stage.authorize(stage.use(locale=locale)), TEXTS[locale], 1.0)
        assert (speech.samples.dtype, speech.samples.ndim, speech.rate_hz) == (np.float32, 1, made.rate_hz)
        assert 0.2 < len(speech.samples) / speech.rate_hz < 20
        assert np.isfinite(speech.samples).all()
        assert 0.01 < np.abs(speech.samples).max() <= 1.0


@kinds
def test_the_same_line_sounds_the_same_and_no_other_random_number_is_disturbed(
    engine: CoquiEngine, project: Project, tiny: Tiny, kind: str
) -> None:
    grant = grant_of(project, tiny(kind))
    text = TEXTS[grant.locale]
    torch.manual_seed(1)
    first = engine.speak(grant, text, 1.0)
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(3))
    torch.manual_seed(2)
    assert digest(engine.speak(grant, text, 1.0)) == digest(first)
    assert digest(engine.speak(grant, f"{text} {text}", 1.0)) != digest(first)


@kinds
def test_a_faster_rate_is_never_longer(engine: CoquiEngine, project: Project, tiny: Tiny, kind: str) -> None:
    grant = grant_of(project, tiny(kind))
    rates = (0.5, 0.8, 0.95, 1.0, 1.05, 1.15, 1.5, 2.0)
    lengths = [len(engine.speak(grant, TEXTS[grant.locale], rate).samples) for rate in rates]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[3] > lengths[-1]
    assert lengths[0] / lengths[-1] > 2


def test_threads_that_speak_at_once_disturb_nobody(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    made = {kind: tiny(kind) for kind in ("vits", "vits of many", "glow_tts")}
    grants = [grant_of(project, each, voice_id=kind.replace(" ", "-").replace("_", "-")) for kind, each in made.items()]
    asked = [(grant, f"Hola, {word}.", rate) for grant in grants for word in ("uno", "dos") for rate in (1.0, 1.2)]
    alone = [digest(engine.speak(*each)) for each in asked]
    others = CoquiEngine({})
    with ThreadPoolExecutor(6) as hands:
        together = list(hands.map(lambda each: digest(others.speak(*each)), asked * 2))
    assert together == alone * 2


def test_the_version_names_packages_and_device() -> None:
    assert CoquiEngine({}).version.startswith("coqui-tts 0.")
    assert f"torch {torch.__version__.partition('+')[0]}" in CoquiEngine({}).version
    assert CoquiEngine({"device": "cuda:1"}).version.endswith("on cuda")


@pytest.mark.parametrize("rate", [0.0, -1.0, 0.49, 2.01, float("nan"), float("inf")])
def test_rates_that_nobody_speaks_at(engine: CoquiEngine, project: Project, tiny: Tiny, rate: float) -> None:
    with pytest.raises(BadInput, match=r"is not a rate from 0\.5 to 2"):
        engine.speak(grant_of(project, tiny("vits")), "Hola.", rate)


@kinds
@pytest.mark.parametrize("text", ["", "  \n", "...", "¡¿?!"])
def test_where_there_is_nothing_to_say(engine: CoquiEngine, project: Project, tiny: Tiny, kind: str, text: str) -> None:
    with pytest.raises(BadInput, match="there is nothing"):
        engine.speak(grant_of(project, tiny(kind)), text, 1.0)


def test_letters_that_the_model_does_not_know_are_not_left_out(
    engine: CoquiEngine, project: Project, tiny: Tiny
) -> None:
    with pytest.raises(BadInput, match=r"'Łódź.': this model has no sound for łź"):
        engine.speak(grant_of(project, tiny("vits")), "Łódź.", 1.0)


SENTENCES = "Hola, buenos días. El café es de la Sra. Lumen. ¿Quién lo tuesta? ... Ana, a mano."
CLAUSES = "uno dos tres, cuatro cinco: seis siete; ocho nueve diez."


@pytest.mark.parametrize(
    ("text", "language", "most", "parts"),
    [
        (SENTENCES, "es", 200, [SENTENCES]),
        (
            SENTENCES,
            "es",
            50,
            ["Hola, buenos días.", "El café es de la Sra. Lumen.", "¿Quién lo tuesta?", "Ana, a mano."],
        ),
        ("Olá. A Sra. Silva paga 3.50! Não?", "pt-br", 30, ["Olá.", "A Sra. Silva paga 3.50!", "Não?"]),
        ("你好。再见。", "zh-cn", 5, ["你好。", "再见。"]),
        (CLAUSES, "es", 30, ["uno dos tres, cuatro cinco:", "seis siete; ocho nueve diez."]),
        (f"Ya. {CLAUSES}", "es", 16, ["Ya.", "uno dos tres,", "cuatro cinco:", "seis siete;", "ocho nueve diez."]),
    ],
    ids=[
        "what fits is one",
        "sentences",
        "Portuguese",
        "Chinese",
        "clauses of a long sentence",
        "sentence and clauses",
    ],
)
def test_what_a_model_cannot_keep_in_mind_is_said_part_by_part(
    text: str, language: str, most: int, parts: list[str]
) -> None:
    assert parts_of(text, language, lambda part: len(part) <= most) == parts


def test_xtts_says_a_long_line_to_its_end(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    grant = grant_of(project, tiny("xtts"))
    sentence = f"Hola, {'a' * 60}."
    whole = engine.speak(grant, f"{sentence} {sentence}", 1.0)
    assert len(whole.samples) == 2 * len(engine.speak(grant, sentence, 1.0).samples), "this one never stops early"
    assert digest(engine.speak(grant, f"{sentence} {sentence}", 1.0)) == digest(whole)


@pytest.mark.parametrize("text", ["a" * 240, "a " * 100, f"Hola. {'a' * 240}. Adiós."])
def test_a_sentence_that_xtts_cannot_keep_in_mind_is_told(
    engine: CoquiEngine, project: Project, tiny: Tiny, text: str
) -> None:
    with pytest.raises(BadInput, match=r"cannot keep so much in mind: \d+ characters without a full stop"):
        engine.speak(grant_of(project, tiny("xtts")), text, 1.0)


# --- who speaks --------------------------------------------------------------------------------------------------


def test_speakers_of_a_table_differ(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    made = tiny("vits of many")
    said = {
        digest(engine.speak(grant_of(project, made.but(speaker=speaker), voice_id=speaker), "Hola.", 1.0))
        for speaker in ("ana", "bea", "carlos")
    }
    assert len(said) == 3


@pytest.mark.parametrize(
    ("speaker", "told"),
    [
        ("dora", "settings.speaker: the model has no speaker 'dora'; it has: ana, bea, carlos"),
        (None, "settings.speaker: names none of the model's speakers; there is: ana, bea, carlos"),
    ],
)
def test_speakers_that_are_not_there(
    engine: CoquiEngine, project: Project, tiny: Tiny, speaker: str | None, told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        engine.prepare(grant_of(project, tiny("vits of many").but(speaker=speaker)))


@pytest.mark.parametrize(("kind", "own"), [("your_tts", ("ana", "bea")), ("xtts", ("Vera",))])
def test_a_cloning_model_speaks_like_a_recording_or_like_its_own(
    engine: CoquiEngine, project: Project, tiny: Tiny, kind: str, own: tuple[str, ...]
) -> None:
    made = tiny(kind)
    voices = {"first": made, "second": made.but({"reference": recording(5)})}
    voices |= {"both": made.but({"reference-2": recording(5)})}
    voices |= {name.lower(): made.but({"reference": None}, speaker=name) for name in own}
    text = TEXTS[made.locales[0]]
    said = {digest(engine.speak(grant_of(project, each, voice_id=name), text, 1.0)) for name, each in voices.items()}
    assert len(said) == len(voices)


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("your_tts", {"speaker": "ana"}, "files.reference: there is a speaker in the settings, too"),
        ("vits", {}, "files.reference: the model does not speak like a recording"),
    ],
)
def test_recordings_where_none_is_asked_for(
    engine: CoquiEngine, project: Project, tiny: Tiny, kind: str, change: dict[str, str], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        engine.prepare(grant_of(project, tiny(kind).but({"reference": recording()}, **change)))


def test_a_cloning_model_without_a_recording(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    made = tiny("xtts").but({"reference": None, "model/speakers_xtts.pth": None})
    with pytest.raises(BadInput, match=r"files.reference: the model speaks like a recording, and the voice has none"):
        engine.prepare(grant_of(project, made))


def test_a_recording_that_is_too_short(fresh: CoquiEngine, project: Project, tiny: Tiny) -> None:
    with pytest.raises(BadInput, match=r"is shorter than 0\.33 s"):
        fresh.prepare(grant_of(project, tiny("xtts").but({"reference": recording(seconds=0.2)})))


@pytest.mark.parametrize(("kind", "heard_by"), [("your_tts", coqui_models.Acoustic), ("xtts", coqui_models.Xtts)])
def test_a_recording_is_heard_once_whoever_speaks_with_it(
    fresh: CoquiEngine, project: Project, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, kind: str, heard_by: Any
) -> None:
    heard: list[str] = []
    listen = heard_by.listen

    def counting(self: Any, recordings: Any) -> Any:
        heard.append(hashlib.sha256(b"".join(recordings)).hexdigest()[:8])
        return listen(self, recordings)

    monkeypatch.setattr(heard_by, "listen", counting)
    made = tiny(kind)
    grant = grant_of(project, made)
    text = TEXTS[grant.locale]
    fresh.prepare(grant)
    fresh.speak(grant, text, 1.0)
    fresh.speak(grant, text, 1.2)
    fresh.speak(grant_of(project, made, voice_id="bea"), text, 1.0)  # another voice, the same bytes
    assert len(heard) == 1
    fresh.speak(grant_of(project, made.but({"reference": recording(6)}), voice_id="carla"), text, 1.0)
    assert len(heard) == len(set(heard)) == 2


# --- languages ---------------------------------------------------------------------------------------------------


def test_a_language_changes_the_sound(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    made = tiny("vits of many")
    stage = voice_of(project, made)
    said = {digest(engine.speak(stage.authorize(stage.use(locale=each)), "Hola.", 1.0)) for each in made.locales}
    assert len(said) == 2


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("vits", "does not speak fr-FR with this model; it speaks es"),
        ("vits of many", "it speaks es, pt-br"),
        ("your_tts", "it speaks en, pt-br"),
        ("glow_tts", "it speaks es-es"),
        ("xtts", "it speaks es, en, pt"),
    ],
)
def test_a_locale_that_the_model_does_not_speak(
    engine: CoquiEngine, project: Project, tiny: Tiny, kind: str, told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        engine.speak(grant_of(project, tiny(kind), "fr-FR"), "Bonjour.", 1.0)


def test_a_voice_may_say_which_language_stands_for_a_locale(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    made = tiny("vits of many")
    with pytest.raises(BadInput, match="does not speak en-US"):
        engine.speak(grant_of(project, made, "en-US", "none"), "Hola.", 1.0)
    mapped = grant_of(project, made.but(languages={"en-US": "es"}), "en-US", "mapped")
    assert len(engine.speak(mapped, "Hola.", 1.0).samples)
    wrong = grant_of(project, made.but(languages={"en-US": "en"}), "en-US", "wrong")
    with pytest.raises(
        BadInput, match=r"settings\.languages\.en-US: the model has no language 'en'; it has: es, pt-br"
    ):
        engine.speak(wrong, "Hola.", 1.0)


def test_a_model_that_does_not_say_what_it_speaks_is_not_taken_for_english(
    engine: CoquiEngine, project: Project, tiny: Tiny
) -> None:
    made = tiny("vits").config({"languages": []})
    with pytest.raises(BadInput, match=r"it speaks what settings.languages says"):
        engine.speak(grant_of(project, made, "en-US", "silent"), "Hola.", 1.0)
    said = grant_of(project, made.but(languages={"es-ES": "es"}), "es-ES", "said")
    assert len(engine.speak(said, "Hola.", 1.0).samples)


# --- what is missing ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_never_the_cpu(project: Project, tiny: Tiny, device: str) -> None:
    grant = grant_of(project, tiny("vits"))
    for call in (lambda engine: engine.prepare(grant), lambda engine: engine.speak(grant, "Hola.", 1.0)):
        with pytest.raises(MachineFault, match=rf"engines\.coqui\.device: torch .* finds no device '{device}'"):
            call(CoquiEngine({"device": device}))


@pytest.mark.parametrize(
    ("kind", "taken", "told"),
    [
        ("vits", "model/config.json", "asks for the role model: .* config.json among them"),
        ("vits", "model/model.pth", "weights.model: should hold one checkpoint, model.pth; there is: none"),
        ("glow_tts", "vocoder/config.json", "a model under the role vocoder has to make sound of them"),
        ("xtts", "model/vocab.json", "asks for the role model: .* vocab.json among them"),
    ],
)
def test_files_that_are_missing(
    engine: CoquiEngine, project: Project, tiny: Tiny, kind: str, taken: str, told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        engine.prepare(grant_of(project, tiny(kind).but({taken: None})))


def test_of_several_checkpoints_the_voice_names_one(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    best = tiny("vits").files["model/model.pth"]
    made = tiny("vits").but({"model/model.pth": None, "model/best_model.pth": best, "model/last.pth": best})
    with pytest.raises(BadInput, match=r"there is: model/best_model\.pth, model/last\.pth"):
        engine.prepare(grant_of(project, made, voice_id="two"))
    engine.prepare(grant_of(project, made.but(checkpoint="best_model.pth"), voice_id="one"))


def test_a_checkpoint_of_another_network(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    made = tiny("vits").but({"model/model.pth": tiny("vits of many").files["model/model.pth"]})
    with pytest.raises(BadInput, match="is not of the network that its config describes"):
        engine.prepare(grant_of(project, made))


def test_what_coqui_stumbles_over_is_told_as_ours(engine: CoquiEngine, project: Project, tiny: Tiny) -> None:
    made = tiny("vits").config({"model_args.upsample_rates_decoder": [8, 8, 8]})
    with pytest.raises(MachineFault, match="Coqui failed: AssertionError"):
        engine.prepare(grant_of(project, made))


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"speed": 2}, "Coqui has no speed; it has: checkpoint, languages, speaker"), ({"speaker": 3}, "should be names")],
)
def test_settings_that_make_no_sense(
    engine: CoquiEngine, project: Project, tiny: Tiny, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        engine.prepare(grant_of(project, tiny("vits").but(**settings)))


# --- nothing from elsewhere --------------------------------------------------------------------------------------


def test_it_needs_no_network(project: Project, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a socket")

    grant = grant_of(project, tiny("your_tts"))
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(CoquiEngine({}).speak(grant, TEXTS[grant.locale], 1.0).samples)


ELSEWHERE = """
import hashlib, json, sys
opened, others = [], []
watching = False

def watch(event, arguments):
    if event == "open" and watching and isinstance(arguments[0], (str, bytes)):
        opened.append(str(arguments[0]))
    elif event in {"socket.connect", "socket.getaddrinfo", "socket.bind"}:
        others.append(event)
    elif watching and event in {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "ctypes.dlopen"}:
        others.append(event)

sys.addaudithook(watch)
from pathlib import Path
from clearspot.consent.authority import writing_authority
from clearspot.consent.grant import authorize
from clearspot.engines.coqui import CoquiEngine
from clearspot.files import PinnedFile
from clearspot.project import Project, Settings
from tests.conftest import a_use
from tests.unit.consent_scenes import COMPANY, load

project, said, folders = Project(Path(sys.argv[1]), Settings()), {}, []
for voice_id, locale, text in json.loads(sys.argv[2]):
    folder = project.root / "voices" / voice_id
    voice = load(folder)
    weights = {role: PinnedFile(folder / "weights" / role, sha) for role, sha in voice.record.weights.items()}
    use = a_use(locale=locale, operator=COMPANY)
    grant = authorize(voice, (use,), writing_authority(project), weights=weights, step="speak")
    CoquiEngine({}).speak(grant, text, 1.0)  # whatever is imported is imported now
    watching = True
    speech = CoquiEngine({}).speak(grant, text, 1.0)
    watching = False
    said[voice_id] = hashlib.sha256(speech.samples.tobytes()).hexdigest()
print(json.dumps({"said": said, "opened": opened, "others": others}))
"""


def test_another_process_says_the_same_and_opens_nothing_but_what_the_grant_gives(
    engine: CoquiEngine, project: Project, tiny: Tiny
) -> None:
    """Python tells of every file that is opened: while Coqui loads and speaks, they are the grant's, each once."""
    asked, expected, granted = [], {}, []
    for number, kind in enumerate(MAKERS):
        grant = grant_of(project, tiny(kind), voice_id=f"voice-{number}")
        asked.append((grant.voice, grant.locale, TEXTS[grant.locale]))
        expected[grant.voice] = digest(engine.speak(grant, TEXTS[grant.locale], 1.0))
        granted += [str(file.path) for file in grant.weights.values()]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(project.root), json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["said"] == expected
    assert told["others"] == []
    libraries = (sys.prefix, sys.base_prefix)  # what is imported only now and then
    assert sorted(path for path in told["opened"] if not path.startswith(libraries)) == sorted(granted)


def test_every_field_that_names_a_file_is_known() -> None:
    """Coqui's configs may get new ones: each has to be given from the grant, or be left out."""
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.encoder.configs.speaker_encoder_config import SpeakerEncoderConfig
    from TTS.tts.configs.glow_tts_config import GlowTTSConfig
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
    from TTS.vocoder.configs import HifiganConfig, MultibandMelganConfig

    kinds = (
        *(BaseAudioConfig, SpeakerEncoderConfig, GlowTTSConfig, VitsArgs, VitsConfig, XttsArgs, XttsConfig),
        *(HifiganConfig, MultibandMelganConfig),
    )
    words = ("file", "path", "dir", "uri", "url", "checkpoint")
    fields = {name for kind in kinds for name in kind.__dataclass_fields__ if any(word in name for word in words)}
    no_files = {"use_d_vector_file", "save_checkpoints", "save_n_checkpoints", "checkpoint"}
    known = {*coqui_config.FILE_FIELDS, *coqui_config.TRAINING, "stats_path", *no_files}
    assert {"speakers_file", "tokenizer_file", "stats_path"} <= fields
    assert fields - known == set()


def test_the_models_are_really_small(tiny: Tiny) -> None:
    """So that nobody takes what they say for speech: only XTTS' decoder cannot be made smaller."""
    sizes = {kind: sum(map(len, tiny(kind).files.values())) for kind in MAKERS}
    assert max(size for kind, size in sizes.items() if kind != "xtts") < 8_000_000
    assert RATE_HZ == 16_000
    assert len(saved({})) < 2_000
    assert Path(__file__).stat().st_size < 40_000
