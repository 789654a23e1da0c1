"""What users do wrong, through the command line: the right exit code, one paragraph that says how to mend it, and
nothing in the output folder that could be taken for a spot.

Engines are fakes; the recogniser is told what the fakes say and when.
"""

from __future__ import annotations

import json
import re
import shutil
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.project import Project
from clearspot.spot import load_spot
from clearspot.yamlfile import dump_yaml
from tests.conftest import Scene, edit, sign_folder

Call = Callable[..., tuple[int, str, str]]

PROGRESS = re.compile(r" *\d+\.\d s  .+: (done|refused|failed)")
ONE = ("--locale", "es-ES", "--profile", "broadcast-eu")


def run(clearspot: Call, scene: Scene, *arguments: str | Path) -> tuple[int, str, str]:
    return clearspot("run", scene.spot, "--runner", "inline", "--out", scene.out, *(arguments or ONE))


def the_paragraph(err: str) -> str:
    """The one paragraph that a failed command says; whatever else is on stderr is progress."""
    lines = [line for line in err.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("clearspot: ")]
    assert len(told) == 1, err
    assert told[0] == lines[-1], "it comes last"
    rest = [line for line in lines[:-1] if not PROGRESS.fullmatch(line)]
    assert not rest, rest
    assert "Traceback" not in err
    assert "this is a bug in Clearspot" not in err, told[0]
    return told[0]


# --- the recording -----------------------------------------------------------------------------------------------


def no_recording(scene: Scene) -> None:
    (scene.spot / "recording.flac").unlink()


def a_text_file_named_wav(scene: Scene) -> None:
    edit(scene.spot / "spot.yaml", "recording.flac", "take.wav")
    (scene.spot / "take.wav").write_text("RIFF, or so they say\n" * 100, encoding="utf-8")


def an_empty_file_named_wav(scene: Scene) -> None:
    edit(scene.spot / "spot.yaml", "recording.flac", "take.wav")
    (scene.spot / "take.wav").write_bytes(b"")


def digital_zeros(scene: Scene) -> None:
    edit(scene.spot / "spot.yaml", "recording.flac", "take.wav")
    with wave.open(str(scene.spot / "take.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * 2))


def no_words(scene: Scene) -> None:
    scene.listener.script.clear()


def another_language(scene: Scene) -> None:
    scene.listener.language = "de"
    scene.listener.script["de"] = [("Guten Morgen von Lumen Coffee.", 0.0, 3.0)]


def a_line_not_said(scene: Scene) -> None:
    scene.hear({"legal": ""})


def a_wrong_price(scene: Scene) -> None:
    scene.hear({"offer": "Until Sunday, save 13% on your first order at lumencoffee.com."})


def extra_words(scene: Scene) -> None:
    scene.hear({"legal": "Offer ends June 30. Terms apply. And every bag comes with a free mug."})


def a_wrong_name(scene: Scene) -> None:
    scene.hear({"tagline": "Bloomin' Toffee. Good mornings start here."})


def a_text_file_as_bed(scene: Scene) -> None:
    (scene.spot / "bed.opus").write_text("la la la", encoding="utf-8")


# --- the words ---------------------------------------------------------------------------------------------------


def an_edit(file: str, old: str, new: str) -> Callable[[Scene], None]:
    return lambda scene: edit(scene.spot / file, old, new)


def never_approved(scene: Scene) -> None:
    (scene.spot / "approvals.yaml").unlink()


def translation_never_approved(scene: Scene) -> None:
    path = scene.spot / "approvals.yaml"
    approvals = yaml.safe_load(path.read_text(encoding="utf-8"))
    del approvals["translations"]["es-ES"]
    path.write_text(dump_yaml(approvals), encoding="utf-8")


def translation_missing(scene: Scene) -> None:
    (scene.spot / "translations" / "es-ES.yaml").unlink()


def no_wording(scene: Scene) -> None:
    path = scene.project.root / "configs" / "disclosures.yaml"
    path.parent.mkdir()
    path.write_text('it-IT: {short: "Voce generata.", long: "Voce generata."}\n', encoding="utf-8")


# --- the voice ---------------------------------------------------------------------------------------------------


def voice_without_consent(scene: Scene) -> None:
    (scene.voice() / "consent.yaml").unlink()


def voice_unsigned(scene: Scene) -> None:
    (scene.voice() / "consent.sig.yaml").unlink()


def voice_expired(scene: Scene) -> None:
    scene.resign("end: 2036-12-31", "end: 2026-01-31")


def voice_revoked(scene: Scene) -> None:
    scene.resign("status: active", "status: revoked")


def voice_for_another_market(scene: Scene) -> None:
    scene.resign("markets: any", "markets: [IT, BR]")


def record_edited(scene: Scene) -> None:
    edit(scene.voice() / "consent.yaml", "end: 2036-12-31", "end: 2046-12-31")


def voice_edited(scene: Scene) -> None:
    edit(scene.voice() / "voice.yaml", "jm_kumo: 0.5", "jm_kumo: 0.7")


def voice_signed_by_a_stranger(scene: Scene) -> None:
    folder = scene.voice()
    sign_folder(folder, Ed25519PrivateKey.generate())


def another_models_digest(scene: Scene) -> None:
    digest = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
    scene.config("models.yaml", digest, "b" * 64)


def a_model_that_may_not_be_sold(scene: Scene) -> None:
    scene.config(
        "models.yaml",
        "title: Kokoro-82M v1.0, int8, ONNX\n    licence: Apache-2.0\n    commercial: true",
        "title: Kokoro-82M v1.0, int8, ONNX\n    licence: CC-BY-NC-4.0\n    commercial: false",
    )


# --- the project -------------------------------------------------------------------------------------------------


def no_keys(scene: Scene) -> None:
    shutil.rmtree(scene.project.keys_dir)


def a_key_that_others_may_read(scene: Scene) -> None:
    (scene.project.keys_dir / "c2pa.key.pem").chmod(0o644)


def a_receipt_key_that_others_may_read(scene: Scene) -> None:
    (scene.project.keys_dir / "receipt.key.pem").chmod(0o640)


def a_key_that_is_none(scene: Scene) -> None:
    (scene.project.keys_dir / "receipt.key.pem").write_text("secret", encoding="utf-8")


def a_key_with_a_password(scene: Scene) -> None:
    (scene.project.keys_dir / "receipt.key.pem").write_bytes(locked_key())


def locked_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )


def a_trust_anchor_that_is_none(scene: Scene) -> None:
    (scene.project.own_trust_dir / "receipt-somebody.pem").write_text("trust me", encoding="utf-8")


def settings(text: str) -> Callable[[Scene], None]:
    def write(scene: Scene) -> None:
        path = scene.project.root / "configs" / "clearspot.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write


def a_config(name: str, old: str, new: str) -> Callable[[Scene], None]:
    return lambda scene: scene.config(name, old, new)


def nothing(_: Scene) -> None: ...


def out_is_a_file(scene: Scene) -> None:
    scene.out.write_text("not a folder", encoding="utf-8")


def out_is_a_link_to_nothing(scene: Scene) -> None:
    scene.out.symlink_to(scene.out.with_name("gone"))


def no_spot(scene: Scene) -> None:
    shutil.rmtree(scene.spot)


def no_spot_yaml(scene: Scene) -> None:
    (scene.spot / "spot.yaml").unlink()


@dataclass(frozen=True)
class Case:
    """What is wrong, the exit code, what the paragraph says, and whether a refusal is written down.

    What is wrong before any locale begins has no deliverable to write a refusal of.
    """

    wrong: Callable[[Scene], None]
    code: int
    told: tuple[str, ...]
    refusal: bool = False
    arguments: tuple[str, ...] = ONE


CASES = {
    # the spot's folder and what is asked
    "no spot folder": Case(no_spot, 2, ("there is no such folder. Name the folder that holds spot.yaml.",)),
    "no spot.yaml": Case(no_spot_yaml, 2, ("spot.yaml: there is no such file. A spot is a folder with spot.yaml",)),
    "an unknown key": Case(
        an_edit("spot.yaml", "timing: flow", "timeing: flow"),
        2,
        ("spot.yaml: timeing: unknown field; known here: id, voice, script, recording, bed, locales,",),
    ),
    "an unknown key in the script": Case(
        an_edit("script.yaml", "lines:\n", "line: x\nlines:\n"), 2, ("script.yaml: line: unknown field; known here:",)
    ),
    "an unknown --locale": Case(
        nothing,
        2,
        (
            "--locale: spot 'lumen-coffee' has no fr-FR; it has: es-ES, it-IT, pt-BR.",
            "Add it to spot.yaml, or ask for one of those.",
        ),
        arguments=("--locale", "fr-FR"),
    ),
    "an unknown --profile": Case(
        nothing,
        2,
        ("--profile: spot 'lumen-coffee' has no cinema; it has: broadcast-eu, podcast, stream.",),
        arguments=("--profile", "cinema"),
    ),
    "an unknown profile in spot.yaml": Case(
        an_edit("spot.yaml", "[broadcast-eu,", "[cinema,"),
        2,
        ("there is no delivery profile 'cinema'; there is: app, archive, audio-ads, broadcast-eu, broadcast-us,",),
        arguments=("--locale", "es-ES"),
    ),
    "an output folder that is a file": Case(out_is_a_file, 2, ("out: is a file, not a folder. Name another --out.",)),
    "an output folder that is a link to nothing": Case(out_is_a_link_to_nothing, 2, ("out: ", "Name another --out.")),
    # the recording
    "no recording": Case(
        no_recording, 2, ("spot.yaml: recording: there is no file 'recording.flac' in", "Put it there.")
    ),
    "a text file named .wav": Case(
        a_text_file_named_wav,
        2,
        ("take.wav: is not audio that can be read", "Give WAV, FLAC, MP3, M4A, OGG or Opus."),
    ),
    "an empty file named .wav": Case(an_empty_file_named_wav, 2, ("take.wav: is not audio that can be read",)),
    "a recording of digital zeros": Case(
        digital_zeros, 2, ("take.wav: is silent. Give the recording of the spokesperson.",)
    ),
    "no words in the recording": Case(
        no_words, 2, ("recording.flac: holds no speech. Give the recording of the spokesperson.",)
    ),
    "a recording in another language": Case(
        another_language,
        1,
        (
            "recording.flac: the recording is in 'de' (sure to 99%), the script says en-US.",
            "Give the right recording, or correct locale: in the script and have it approved again.",
        ),
        refusal=True,
    ),
    "a line that was not said": Case(
        a_line_not_said,
        1,
        ("recording.flac: what was said is not what was approved. ", "line 'legal': was not said"),
        refusal=True,
    ),
    "a wrong price": Case(
        a_wrong_price,
        1,
        ("line 'offer': numbers differ: approved ", "30", "13", "save 13% on your first order"),
        refusal=True,
    ),
    "extra words": Case(
        extra_words,
        1,
        ("line 'legal': heard ", "And every bag comes with a free mug.", "at most 0.2", "approved 'Offer ends"),
        refusal=True,
    ),
    "a wrong name": Case(
        a_wrong_name, 1, ("line 'tagline': the name 'Lumen Coffee' was not heard in", "at least 0.7"), refusal=True
    ),
    "a bed that is no audio": Case(a_text_file_as_bed, 2, ("bed.opus: is not audio that can be read",)),
    # the words
    "a script that nobody approved": Case(
        never_approved,
        1,
        ("approvals.yaml: the script was never approved. Read it, then: clearspot approve script",),
        refusal=True,
    ),
    "a changed script with its old approval": Case(
        an_edit("script.yaml", "save 30%", "save 40%"),
        1,
        ("approvals.yaml: the script changed since Demo producer approved it on 2026-11-22 (line offer).",),
        refusal=True,
    ),
    "a script with another protected word than was approved": Case(
        an_edit("script.yaml", "[Lumen Coffee, lumencoffee.com]", "[Lumen Coffee]"),
        1,
        ("approvals.yaml: the script changed since Demo producer approved it", "(its order, names or protected words)"),
        refusal=True,
    ),
    "a translation that changed since it was approved": Case(
        an_edit("translations/es-ES.yaml", "ahorra un 30 %", "ahorra un 40 %"),
        1,
        ("es-ES.yaml: not approved in es-ES: offer: ", "(changed since it was approved)"),
        refusal=True,
    ),
    "a translation that nobody approved": Case(
        translation_never_approved,
        1,
        (
            "es-ES.yaml: not approved in es-ES: hello: 'Hola, soy Nora, de Lumen Coffee.' (never approved); roast:",
            "clearspot approve translation ",
            "--locale es-ES --by NAME",
        ),
        refusal=True,
    ),
    "no translation and no engine for the pair": Case(
        translation_missing,
        1,
        (
            "es-ES.yaml: line 'hello' is not translated, and no engine here drafts from en-US to es-ES.",
            "Write the translation there and have it approved.",
        ),
        refusal=True,
    ),
    "no disclosure wording": Case(
        no_wording,
        1,
        (
            "disclosures.yaml: there is no disclosure wording for es-ES; there is for: it-IT.",
            "without it nothing may be spoken in that locale.",
        ),
        refusal=True,
    ),
    "more than fits": Case(
        an_edit("spot.yaml", "duration_s: 40", "duration_s: 12"),
        1,
        ("line 'offer': the spot is ", " s too long for its 12 s, even spoken 1.15", "Cut about ", " characters"),
        refusal=True,
    ),
    # the voice
    "a voice that does not exist": Case(
        an_edit("spot.yaml", "voice: house", "voice: mansion"),
        2,
        ("voices/: there is no voice 'mansion'; there is: house, joe.",),
    ),
    "a voice without consent": Case(
        voice_without_consent,
        1,
        ("consent.yaml: voice 'house' has no consent record; nobody may speak with it.",),
        refusal=True,
    ),
    "a voice whose consent is not signed": Case(
        voice_unsigned,
        1,
        ("consent.sig.yaml: consent record 'house-2026-11' is not signed as licensee. clearspot voices sign house ",),
        refusal=True,
    ),
    "a voice whose consent is signed by a stranger": Case(
        voice_signed_by_a_stranger, 1, ("is signed with key ", "which is not trusted here."), refusal=True
    ),
    "a voice whose consent expired": Case(
        voice_expired, 1, ("consent.yaml: term.end: ", "allowed '2026-01-01 to 2026-01-31, UTC'"), refusal=True
    ),
    "a voice whose consent is revoked": Case(
        voice_revoked, 1, ("consent.yaml: status: ", "asked 'active', allowed 'revoked'"), refusal=True
    ),
    "a voice whose consent is for other markets": Case(
        voice_for_another_market, 1, ("scope.markets: asked 'ES', allowed 'IT, BR'",), refusal=True
    ),
    "a voice whose record was edited": Case(
        record_edited, 1, ("consent record 'house-2026-11' was changed after it was signed",), refusal=True
    ),
    "a voice that was edited": Case(voice_edited, 1, ("consent.yaml: voice_sha256: ",), refusal=True),
    "another model's digest": Case(
        another_models_digest,
        1,
        ("consent.yaml: weights.model: ", f"asked '{'b' * 64}', allowed '6e742170d309"),
        refusal=True,
    ),
    "a model that may not be used commercially": Case(
        a_model_that_may_not_be_sold,
        1,
        ("model 'kokoro-82m-int8' (CC-BY-NC-4.0) may not be used commercially.",),
        refusal=True,
    ),
    # the project
    "no signing keys": Case(no_keys, 2, ("keys: there are no signing keys yet. clearspot keys init",)),
    "a signing key that others may read": Case(
        a_key_that_others_may_read, 1, ("c2pa.key.pem: this private key can be read by others. chmod 600 ",)
    ),
    "a receipt key that others may read": Case(
        a_receipt_key_that_others_may_read, 1, ("receipt.key.pem: this private key can be read by others.",)
    ),
    "a key that is none": Case(a_key_that_is_none, 2, ("keys: these signing keys cannot be read.",)),
    "a key with a password": Case(a_key_with_a_password, 2, ("keys: ",)),
    "a trust anchor that is none": Case(
        a_trust_anchor_that_is_none, 2, ("receipt-somebody.pem: is not a trust anchor: ",)
    ),
    "an unknown setting": Case(
        settings("worker: 2\n"), 2, ("clearspot.yaml: worker: unknown field; known here: provider, recogniser,",)
    ),
    "an address, which may be a secret, instead of a block": Case(
        settings("notify: https://hooks.example/T0/secret\n"),
        2,
        ("clearspot.yaml: notify: should name a block as Prefect does: kind/name, such as slack-webhook/ops.",),
    ),
    "fewer than no workers": Case(settings("workers: -1\n"), 2, ("clearspot.yaml: workers: ", "(it is -1)")),
    "a profile with an unknown codec": Case(
        a_config("profiles/broadcast-eu.yaml", "pcm_s24le", "pcm_s32be"), 2, ("codec: ", "(it is 'pcm_s32be')")
    ),
    "a check that is switched off": Case(
        a_config("listening.yaml", "other: 0.10", "other: 15"),
        2,
        ("listening.yaml: deliverable.disclosure_error_rate.other: ", "less than or equal to 0.25 (it is 15)"),
    ),
    "an empty disclosure": Case(
        a_config("disclosures.yaml", '"Este anuncio utiliza una voz generada por inteligencia artificial."', '""'),
        2,
        ("disclosures.yaml: locales.es-ES.short: should not be empty (it is '')",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_wrong_is_told_and_nothing_is_published(scene: Scene, clearspot: Call, case: Case) -> None:
    case.wrong(scene)
    code, _, err = run(clearspot, scene, *case.arguments)
    told = the_paragraph(err)
    for part in case.told:
        assert part in told
    assert code == case.code
    name = "lumen-coffee/es-ES/lumen-coffee_es-ES_broadcast-eu.refusal.json"
    if scene.out.is_file():
        assert scene.out.read_text(encoding="utf-8") == "not a folder"
    else:
        assert scene.files() == ([name] if case.refusal else [])
    if case.refusal:
        refusal = json.loads((scene.out / name).read_text(encoding="utf-8"))
        assert refusal["error"]["kind"] == "refused"
        assert refusal["error"]["what"] in told
        assert refusal["error"]["remedy"] in told


def test_every_refused_deliverable_has_its_refusal_and_the_reason_is_told_once(scene: Scene, clearspot: Call) -> None:
    a_line_not_said(scene)
    code, _, err = run(clearspot, scene, "--locale", "es-ES", "--locale", "pt-BR")
    assert code == 1
    assert "line 'legal': was not said" in the_paragraph(err)
    assert scene.files() == sorted(
        f"lumen-coffee/{locale}/lumen-coffee_{locale}_{profile}.refusal.json"
        for locale in ("es-ES", "pt-BR")
        for profile in ("broadcast-eu", "podcast", "stream")
    )


@pytest.mark.parametrize("wrong", [no_spot, no_words, a_line_not_said, no_keys])
def test_as_json_a_failure_is_one_object_on_stdout(
    scene: Scene, clearspot: Call, wrong: Callable[[Scene], None]
) -> None:
    wrong(scene)
    code, out, err = run(clearspot, scene, *ONE, "--json")
    told = json.loads(out)
    assert err == ""
    assert code == told["exit_code"]
    assert code in {1, 2}
    error = told.get("error") or told["deliverables"][0]["error"]
    assert error["kind"] == {1: "refused", 2: "bad-input"}[code]
    assert error["what"]


# --- the command line itself -------------------------------------------------------------------------------------

USAGE = {
    "no spot": (("run",), "missing argument 'spot'"),
    "an unknown command": (("localise", "spot"), "no such command 'localise'"),
    "an unknown option": (("run", "spot", "--force"), "no such option: --force"),
    "an option without its value": (("run", "spot", "--locale"), "option '--locale' requires an argument"),
    "an unknown runner": (("run", "spot", "--runner", "airflow"), "'airflow' is not one of 'prefect', 'inline'"),
    "approved by whom": (("approve", "script", "spot"), "missing option '--by'"),
}


@pytest.mark.parametrize(("arguments", "told"), USAGE.values(), ids=USAGE)
def test_a_command_that_is_wrong(project: Project, clearspot: Call, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = clearspot(*arguments)
    paragraph = the_paragraph(err)
    assert told in paragraph.lower()
    assert "clearspot --help shows what there is." in paragraph
    assert (code, out) == (2, "")


@pytest.mark.parametrize("arguments", [(), ("keys",)], ids=["nothing", "a group"])
def test_a_command_that_is_not_finished_shows_the_help(
    project: Project, clearspot: Call, arguments: tuple[str, ...]
) -> None:
    code, out, err = clearspot(*arguments)
    assert "Usage: " in out + err
    assert "this is a bug" not in err
    assert code in {0, 2}


def test_ctrl_c_is_told_as_such(scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clearspot.job.open_studio", interrupt)
    code, _, err = run(clearspot, scene)
    assert the_paragraph(err) == (
        "clearspot: stopped before it was finished. Nothing half-made was kept; run it again."
    )
    assert code == 3
    assert scene.files() == []


@pytest.mark.parametrize("key", [b"secret", locked_key()], ids=["no key", "a key with a password"])
def test_a_consent_key_that_cannot_be_read(scene: Scene, clearspot: Call, tmp_path: Path, key: bytes) -> None:
    scene.voice()
    path = tmp_path / "talent.key.pem"
    path.write_bytes(key)
    path.chmod(0o600)
    code, out, err = clearspot("voices", "sign", "house", "--as", "licensee", "--key", path)
    assert f"{path}: " in the_paragraph(err)
    assert (code, out) == (2, "")


@pytest.mark.parametrize("name", ["c2pa.key.pem", "c2pa.chain.pem", "receipt.key.pem"])
def test_the_remedy_for_a_missing_key_mends_it(scene: Scene, clearspot: Call, name: str) -> None:
    (scene.project.keys_dir / name).unlink()
    code, _, err = run(clearspot, scene)
    assert code == 2
    remedy = the_paragraph(err).rpartition("clearspot ")[2].split()
    assert clearspot(*remedy)[0] == 0
    scene.listener.script.clear()  # far enough: the keys are read before anybody listens
    assert "holds no speech" in the_paragraph(run(clearspot, scene)[2])


# --- and what is unusual but right ---------------------------------------------------------------------------------

EXPORTED = [
    f"lumen-coffee/es-ES/lumen-coffee_es-ES_broadcast-eu.{ending}"
    for ending in ("receipt.json", "srt", "srt.c2pa", "vtt", "vtt.c2pa", "wav")
]


def test_a_folder_with_any_name_works(scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    scene.spot = scene.spot.rename(scene.spot.parent / 'Ñandú\'s "best" spot 日本 %d $HOME;')
    scene.out = scene.out.with_name('final [v2], it\'s "cut" - 100% ñ')
    code, out, err = run(clearspot, scene)
    assert code == 0, err
    assert "clearspot: " not in err
    assert scene.files() == EXPORTED
    assert str(scene.out / EXPORTED[-1]) in out, "the path that is told is the path that there is"

    receipt, srt, vtt = ((scene.out / EXPORTED[place]).read_text(encoding="utf-8") for place in (0, 1, 3))
    body = json.loads(receipt)["receipt"]
    assert body["deliverable"] == "lumen-coffee_es-ES_broadcast-eu.wav"
    assert {finding["verdict"] for finding in body["findings"]} == {"pass"}
    assert body["consent"]["record"] == "house-2026-11"
    assert [clip["line"] for clip in body["timeline"]] == ["disclosure", *load_spot(scene.spot).script.lines]
    assert body["timeline"][0]["heard"] == "Este anuncio utiliza una voz generada por inteligencia artificial."
    assert srt.startswith("1\n00:00:00,250 --> ")
    assert vtt.startswith("WEBVTT\n\n00:00:00.250 --> ")
    assert srt.count(" --> ") == vtt.count(" --> ") == 7
    assert "Oferta válida" in srt


def test_what_was_exported_loses_its_name_when_it_is_refused_later(scene: Scene, clearspot: Call) -> None:
    code, out, err = run(clearspot, scene, *ONE, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert out.count("\n") == 1, "one JSON object and nothing else"
    assert told["exit_code"] == 0
    (deliverable,) = told["deliverables"]
    assert deliverable["verdict"] == "cleared"
    assert deliverable["path"] == str(scene.out / EXPORTED[-1])
    assert {finding["verdict"] for finding in deliverable["findings"].values()} == {"pass"}
    assert scene.files() == EXPORTED

    voice_revoked(scene)
    code, out, err = run(clearspot, scene, *ONE, "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["deliverables"][0]["verdict"] == "refused"
    refusal = EXPORTED[0].replace("receipt", "refusal")
    assert scene.files() == sorted([refusal, *(f"{name}.withdrawn" for name in EXPORTED)])


def test_a_disclosure_that_is_not_heard_keeps_the_file_in(scene: Scene, clearspot: Call) -> None:
    scene.deaf_to = "generada por inteligencia artificial"
    code, _, err = run(clearspot, scene)
    told = the_paragraph(err)
    assert "lumen-coffee_es-ES_broadcast-eu: the gate refused it: disclosure-heard: " in told
    assert code == 1
    assert scene.files() == [EXPORTED[0].replace("receipt", "refusal")]
    findings = json.loads((scene.out / scene.files()[0]).read_text(encoding="utf-8"))["findings"]
    assert [finding["rule"] for finding in findings if finding["verdict"] == "fail"] == ["disclosure-heard"]
