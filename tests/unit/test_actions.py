"""Keys are a contract: equal inputs find what was made of them, and no other input ever does."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearspot import actions
from clearspot.actions import (
    VERSIONS,
    Action,
    Tool,
    VoiceTool,
    aligning,
    drafting,
    encoding,
    fitting,
    mixing,
    speaking,
    transcribing,
)
from clearspot.config import Profile, RecordingLimits
from clearspot.disclosure import DisclosureAsked
from clearspot.spot import LocaleOrder, Script, SpotFile

A, B, C = "a" * 64, "b" * 64, "c" * 64
TOOL = Tool("engine 1.2", {"model": A, "voices": B})
VOICE = VoiceTool(C, TOOL)
SCRIPT = Script(
    advertiser="Lumen Coffee",
    product="Lumen",
    locale="en-US",
    protected=("Lumen", "Coffee"),
    lines={"opening": "Good morning.", "offer": "Now 9.99 — ¡olé!"},
)
LIMITS = RecordingLimits(line_error_rate=0.2, name_closeness=0.7, language_probability=0.5)
ORDER = SpotFile(
    id="lumen",
    voice="house",
    recording="recording.flac",
    bed="bed.opus",
    locales={"es-ES": LocaleOrder(markets=("ES",))},
    profiles=("podcast",),
    timing="flow",
    duration_s=40,
    medium="radio",
)
ASKED = DisclosureAsked(at_end=False, repeat_every_s=None)
PROFILE = Profile(
    title="Podcast",
    extension="mp3",
    codec="libmp3lame",
    bitrate_kbps=192,
    loudness_lufs=-16,
    loudness_tolerance_lu=0.5,
    true_peak_dbtp=-1,
    codec_headroom_db=1,
)
CLIPS = (("disclosure", "Por IA.", A), ("opening", "Buenos días.", B))

Call = tuple[Callable[..., Action], dict[str, Any]]
CALLS: dict[str, Call] = {
    "transcribe": (transcribing, {"recording_sha256": A, "recogniser": TOOL, "ffmpeg": "7.1"}),
    "align": (aligning, {"transcript_sha256": A, "script": SCRIPT, "limits": LIMITS}),
    "translate": (
        drafting,
        {"engine": "draft 1", "source": "en-US", "target": "es-ES", "text": "Good morning.", "about": "es-ES"},
    ),
    "speak": (
        speaking,
        {"voice": VOICE, "locale": "es-ES", "text": "Buenos días.", "rate": 1.0, "about": "es-ES opening"},
    ),
    "fit": (
        fitting,
        {"timed_sha256": A, "clips": CLIPS, "voice": VOICE, "order": ORDER, "asked": ASKED}
        | {"locale": "es-ES", "ffmpeg": "7.1"},
    ),
    "mix": (mixing, {"timeline_sha256": A, "bed_sha256": B, "watermark": TOOL, "ffmpeg": "7.1", "about": "es-ES"}),
    "encode": (encoding, {"programme_sha256": A, "profile": PROFILE, "ffmpeg": "7.1", "about": "es-ES podcast"}),
}

GOLDEN = {
    "transcribe": "f58dab6ec05e85ca191e1c1e873234aa126db94ca8ca317e2d7191e159f8971b",
    "align": "cb583d2fd48950e50ea828966af9fd620ab368fd986917404a886933221512b0",
    "translate": "b1d2eb8f24c6ce20db9d21ed313ded91fe76aa73162060ae0daae111c3a02aad",
    "speak": "8fc94ef062c8a19f7ed620d112739be6b23b0f2ae04c1a129007e12082e728cd",
    "fit": "7a18a39bfc57d7e37894e7ac6d6dae0501bdf2f96b8f8d818619d1bcbb0046ce",
    "mix": "72963182d74033eb6cb99ad4e135bd3a73600bba6a672a5f35e95f076fbbeae0",
    "encode": "e2d1f5af28dd39dc45717612237b30089f5bdb9f9c6cc95c6e283b4a43607b4f",
}


def action(stage: str, **changes: Any) -> Action:
    """The stage's action of the inputs above, some of them changed."""
    make, inputs = CALLS[stage]
    return make(**(inputs | changes))


@pytest.mark.parametrize("stage", VERSIONS)
def test_the_keys_are_those_that_stores_hold(stage: str) -> None:
    """Where this fails, results of every store are made again: raise the stage's version, or mend what was broken."""
    assert action(stage).stage == stage
    assert action(stage).key == GOLDEN[stage]


@pytest.mark.parametrize("stage", VERSIONS)
def test_another_version_of_a_stage_has_other_keys(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    before = {each: action(each).key for each in VERSIONS}
    monkeypatch.setattr(actions, "VERSIONS", {**VERSIONS, stage: VERSIONS[stage] + 1})
    after = {each: action(each).key for each in VERSIONS}
    assert [each for each in VERSIONS if before[each] != after[each]] == [stage]


def test_equal_inputs_of_two_stages_have_two_keys() -> None:
    assert len({Action(stage, {"text": "Good morning."}).key for stage in VERSIONS}) == len(VERSIONS)


def script(**changes: Any) -> Script:
    return SCRIPT.model_copy(update=changes)


def order(**changes: Any) -> SpotFile:
    return ORDER.model_copy(update=changes)


TURNED = Tool("engine 1.2", {"voices": B, "model": A})
SAME: dict[str, tuple[str, dict[str, Any]]] = {
    "the weights in another order": ("transcribe", {"recogniser": TURNED}),
    "the voice's weights in another order": ("speak", {"voice": VoiceTool(C, TURNED)}),
    "the watermark's weights in another order": ("mix", {"watermark": TURNED}),
    "what a draft is about": ("translate", {"about": "it-IT"}),
    "which line is spoken": ("speak", {"about": "es-ES offer of another spot"}),
    "clips in a list": ("fit", {"clips": [list(clip) for clip in CLIPS]}),
    "where the files lie": ("fit", {"order": order(recording="takes/2.wav", bed="beds/2.wav", script="s.yaml")}),
    "which spot it is": ("fit", {"order": order(id="another", medium="podcast", profiles=("stream",))}),
    "the disclosure's wording, whose clip is there": ("fit", {"asked": DisclosureAsked(wording="long")}),
    "the disclosure's pace, at which its clip is": ("fit", {"asked": DisclosureAsked(characters_per_minute=(1, 9))}),
    "where a mix is for": ("mix", {"about": "it-IT"}),
    "which deliverable is encoded": ("encode", {"about": "it-IT stream"}),
    "a profile's title": ("encode", {"profile": PROFILE.model_copy(update={"title": "Podcasts, all of them"})}),
    "numbers of another kind": ("encode", {"profile": PROFILE.model_copy(update={"loudness_lufs": -16.0})}),
}


@pytest.mark.parametrize("case", SAME)
def test_what_makes_no_difference_is_not_in_the_key(case: str) -> None:
    stage, changes = SAME[case]
    assert action(stage, **changes).key == action(stage).key


TOOLS = {
    "version": Tool("engine 1.3", TOOL.weights),
    "a weight's digest": Tool("engine 1.2", {"model": C, "voices": B}),
    "a weight's role": Tool("engine 1.2", {"model": A, "voice": B}),
    "weights that changed places": Tool("engine 1.2", {"model": B, "voices": A}),
    "a weight more": Tool("engine 1.2", {"model": A, "voices": B, "lexicon": C}),
    "a weight less": Tool("engine 1.2", {"model": A}),
    "no weights": Tool("engine 1.2", {}),
}
VOICES = {f"voice's {name}": VoiceTool(C, tool) for name, tool in TOOLS.items()} | {"voice": VoiceTool(B, TOOL)}
LINES = SCRIPT.lines
SCRIPTS = {
    "a word": script(lines=LINES | {"offer": "Now 8.99 — ¡olé!"}),
    "a line's id": script(lines={"start": LINES["opening"], "offer": LINES["offer"]}),
    "lines in another order": script(lines=dict(reversed(LINES.items()))),
    "texts that changed places": script(lines={"opening": LINES["offer"], "offer": LINES["opening"]}),
    "a line more": script(lines=LINES | {"end": "Bye."}),
    "a line less": script(lines={"opening": LINES["opening"]}),
    "a protected name": script(protected=("Lumen", "Coffees")),
    "a protected name less": script(protected=("Lumen",)),
    "the locale": script(locale="en-GB"),
}
PROFILES: dict[str, dict[str, Any]] = {
    "extension": {"extension": "wav"},
    "codec": {"codec": "pcm_s16le"},
    "bitrate_kbps": {"bitrate_kbps": None},
    "loudness_lufs": {"loudness_lufs": -23},
    "loudness_tolerance_lu": {"loudness_tolerance_lu": 1},
    "true_peak_dbtp": {"true_peak_dbtp": -2},
    "codec_headroom_db": {"codec_headroom_db": 0.5},
    "short_term_max_lufs": {"short_term_max_lufs": -12},
}
CLIP_LISTS = {
    "a clip's line": (("disclosure", "Por IA.", A), ("offer", "Buenos días.", B)),
    "a clip's text": (("disclosure", "Por una IA.", A), ("opening", "Buenos días.", B)),
    "a clip's sound": (("disclosure", "Por IA.", C), ("opening", "Buenos días.", B)),
    "clips in another order": CLIPS[::-1],
    "a clip more": (*CLIPS, ("offer", "Por IA.", A)),
    "a clip less": CLIPS[:1],
}
OTHER: dict[str, dict[str, Mapping[str, Any]]] = {
    "transcribe": {"recording_sha256": {"another": B}, "recogniser": TOOLS, "ffmpeg": {"another": "7.2"}},
    "align": {
        "transcript_sha256": {"another": B},
        "script": SCRIPTS,
        "limits": {name: LIMITS.model_copy(update={name: 0.45}) for name in RecordingLimits.model_fields},
    },
    "translate": {
        "engine": {"another": "draft 2"},
        "source": {"another": "en-GB"},
        "target": {"another": "es-MX"},
        "text": {"another": "Good evening.", "in capitals": "Good Morning.", "with a space": "Good morning. "},
    },
    "speak": {
        "voice": VOICES,
        "locale": {"another": "es-MX"},
        "text": {"another": "Buenas noches.", "decomposed": "Buenos di\u0301as."},
        "rate": {"another": 1.01},
    },
    "fit": {
        "timed_sha256": {"another": B},
        "clips": CLIP_LISTS,
        "voice": VOICES,
        "order": {
            "timing": order(timing="locked"),
            "another length": order(duration_s=30),
            "no length": order(duration_s=None),
        },
        "asked": {
            "at the end": DisclosureAsked(at_end=True),
            "again": DisclosureAsked(repeat_every_s=60),
        },
        "locale": {"another": "es-MX"},
        "ffmpeg": {"another": "7.2"},
    },
    "mix": {
        "timeline_sha256": {"another": C},
        "bed_sha256": {"another": C},
        "watermark": TOOLS,
        "ffmpeg": {"another": "7.2"},
    },
    "encode": {
        "programme_sha256": {"another": B},
        "profile": {name: PROFILE.model_copy(update=change) for name, change in PROFILES.items()},
        "ffmpeg": {"another": "7.2"},
    },
}
CASES = [
    pytest.param(stage, {name: value}, id=f"{stage}: {name}: {case}")
    for stage, changes in OTHER.items()
    for name, values in changes.items()
    for case, value in values.items()
]


@pytest.mark.parametrize(("stage", "changes"), CASES)
def test_every_input_is_in_the_key(stage: str, changes: dict[str, Any]) -> None:
    assert action(stage, **changes).key != action(stage).key


def test_no_two_of_these_are_taken_for_each_other() -> None:
    keys = [action(case.values[0], **case.values[1]).key for case in CASES]  # type: ignore[arg-type,dict-item]
    assert len(set(keys)) == len(keys)


def test_the_table_of_inputs_is_whole() -> None:
    """A parameter or a field that is added later needs a line in the table above, or a reason here."""
    for stage, (make, _) in CALLS.items():
        assert set(OTHER[stage]) == set(inspect.signature(make).parameters) - {"about"}
    assert set(PROFILES) == set(Profile.model_fields) - {"title"}
    assert set(CALLS) == set(OTHER) == set(GOLDEN) == set(VERSIONS)


TEXTS = st.text(max_size=20)
TOOLBOX = st.builds(Tool, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3))
RATES = st.floats(0.5, 2)


@given(TOOLBOX, TEXTS, TEXTS, TEXTS, RATES)
def test_equal_inputs_have_equal_keys(tool: Tool, voice: str, locale: str, text: str, rate: float) -> None:
    turned = Tool(tool.version, dict(reversed(tool.weights.items())))
    first = speaking(VoiceTool(voice, tool), locale, text, rate, "here")
    assert speaking(VoiceTool(voice, copy.deepcopy(turned)), locale, text, rate, "there").key == first.key


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=2, max_size=5, unique=True))
def test_different_texts_have_different_keys(texts: list[tuple[str, str, str]]) -> None:
    """Wherever one text ends and the next begins."""
    assert len({drafting("engine", *each, "").key for each in texts}) == len(texts)
    assert len({speaking(VOICE, each[0], each[1], 1.0, each[2]).key for each in texts}) == len({t[:2] for t in texts})
