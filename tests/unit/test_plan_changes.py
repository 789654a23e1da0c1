"""What a plan says of every kind of change; and a run does what its plan said, nothing less and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.change_scenes import (
    LOCALES,
    PROFILES,
    Call,
    again,
    approve,
    change,
    change_source,
    everything,
    keep_caches,
    made,
    made_before,
    plan,
    reencode,
    run,
    sine,
    states,
    verdicts,
)
from tests.conftest import Scene, edit
from tests.unit.policy_scenes import asked, own_policy

SPOKEN = ("disclosure", "hello", "offer", "legal")
ALL = tuple(f"{locale} {profile}" for locale in LOCALES for profile in PROFILES)
ES, IT = ALL[:2], ALL[2:]
PODCASTS = ("es-ES podcast", "it-IT podcast")

PAPERS = {
    "sign": ("papers are made anew for every file",),
    "gate": ("every new file is listened to",),
    "export": ("a new file takes its place",),
}
BEFORE = "what comes before it is made again"
NOT_STORED = "it is not in the store"


@pytest.fixture
def there(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """The small spot with everything of it made."""
    return made_before(scene, tmp_path_factory.getbasetemp(), clearspot)


# --- every kind of change ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """Something that changed, and what a plan says.

    ``why`` is told of the deliverables in ``of``; ``again`` are the steps that will be made again, each with why;
    ``follows`` those that are made again only if what comes before them comes out otherwise. Everything else is kept.
    ``papers`` is what is told of signing, gate and export where it is more than that they are always done.
    """

    do: Callable[[Scene], object]
    of: tuple[str, ...]
    why: tuple[str, ...]
    again: Mapping[str, str] = field(default_factory=dict)
    follows: tuple[str, ...] = ()
    papers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def after(stage: str, *locales: str) -> tuple[str, ...]:
    """Everything that comes after a stage in some locales."""
    between = {"align": ("fit", "mix"), "speak": ("fit", "mix"), "fit": ("mix",), "mix": ()}[stage]
    names = (*between, *(f"encode {profile}" for profile in PROFILES))
    return tuple(f"{locale} {name}?" for locale in locales for name in names)


def everywhere(step: str, why: str, *locales: str) -> dict[str, str]:
    """The same step in some locales, or in all of them."""
    return {f"{locale} {step}": why for locale in locales or LOCALES}


def change_protected(scene: Scene) -> None:
    edit(scene.spot / "script.yaml", ", lumencoffee.com]", "]")
    approve(scene.spot)


def add_locale(scene: Scene) -> None:
    edit(scene.spot / "spot.yaml", "profiles:", "  pt-BR: {markets: [BR]}\nprofiles:")
    approve(scene.spot)


def other_weights(scene: Scene) -> None:
    """A voice's consent names its weights: its owner has to sign for the new ones."""
    digest = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
    scene.config("models.yaml", digest, "a" * 64)
    scene.resign(f"model: {digest}", f"model: {'a' * 64}")


def other_engine(scene: Scene) -> None:
    scene.studio.voice.version = "fake-speech 2"


def slow_disclosure(scene: Scene) -> None:
    own_policy(scene.project, requires={"disclosure": {"characters_per_minute": asked([1200, 1600])}})


def in_spot(old: str, new: str) -> Callable[[Scene], object]:
    return lambda scene: edit(scene.spot / "spot.yaml", old, new)


def in_config(name: str, old: str, new: str) -> Callable[[Scene], object]:
    return lambda scene: scene.config(name, old, new)


OFFER, LEGAL = "line `offer` changed in es-ES", "line `legal` changed in the script"
DISCLOSURE, TIMING = "the disclosure changed in es-ES", "timing or length changed"
ORDERED = "markets, medium, purpose or provider changed"
RENEWED = "consent renewed: export only"
LISTENING = "configs/listening.yaml changed"
NAMES = "the script's locale, names, order or protected words changed"
POLICY = "what the markets of es-ES ask for changed"

CHANGES: dict[str, Change] = {
    "a line's translation": Change(
        lambda scene: change(scene.spot), ES, (OFFER,), {"es-ES speak offer": OFFER}, after("speak", "es-ES")
    ),
    "a line of the script": Change(
        change_source, ALL, (LEGAL,), {"align": LEGAL}, after("align", *LOCALES)
    ),
    "the protected words": Change(
        change_protected, ALL, (NAMES,), {"align": NAMES}, after("align", *LOCALES)
    ),
    "the bed": Change(
        lambda scene: sine(scene.spot / "bed.flac", 550, 5),
        ALL, ("the bed changed",), everywhere("mix", "the bed changed"), after("mix", *LOCALES),
    ),
    "no bed any more": Change(
        in_spot("bed: bed.flac\n", ""),
        ALL, ("the bed changed",), everywhere("mix", "the bed changed"), after("mix", *LOCALES),
    ),
    "the recording's bytes": Change(
        reencode,
        ALL, ("the recording changed",), {"transcribe": "the recording changed"}, ("align?", *after("align", *LOCALES)),
    ),
    "the length": Change(
        in_spot("medium:", "duration_s: 20\nmedium:"),
        ALL, (TIMING,), everywhere("fit", TIMING), after("fit", *LOCALES),
    ),
    "the length, so short that lines are hurried": Change(
        in_spot("medium:", "duration_s: 6.1\nmedium:"),
        ALL, (TIMING,), everywhere("fit", TIMING), after("fit", *LOCALES),
    ),
    "a delivery profile": Change(
        in_config("profiles/podcast.yaml", "loudness_lufs: -16.0", "loudness_lufs: -18.0"),
        PODCASTS, ("delivery profile podcast changed",),
        everywhere("encode podcast", "delivery profile podcast changed"),
    ),
    "a delivery profile's title alone": Change(
        in_config("profiles/podcast.yaml", "title: Podcast", "title: Podcasts"),
        PODCASTS, ("delivery profile podcast changed",),
    ),
    "a profile more": Change(
        in_spot("[podcast, stream]", "[podcast, web, stream]"),
        ("es-ES web", "it-IT web"), ("never made",), everywhere("encode web", NOT_STORED),
    ),
    "a locale more": Change(
        add_locale,
        ("pt-BR podcast", "pt-BR stream"), ("never made",),
        {f"pt-BR speak {line}": NOT_STORED for line in SPOKEN}, after("speak", "pt-BR"),
    ),
    "the disclosure's wording": Change(
        in_config("disclosures.yaml", "utiliza una voz generada por", "usa una voz hecha por"),
        ES, (DISCLOSURE,), {"es-ES speak disclosure": DISCLOSURE}, after("speak", "es-ES"),
    ),
    "the disclosure's pace": Change(
        slow_disclosure,
        ES, (DISCLOSURE, POLICY), {"es-ES speak disclosure": DISCLOSURE}, after("speak", "es-ES"),
        {"sign": (POLICY,)},
    ),
    "the voice's weights, with consent": Change(
        other_weights,
        ALL, ("weights of kokoro changed", "consent renewed"),
        {f"{locale} speak {line}": "weights of kokoro changed" for locale in LOCALES for line in SPOKEN},
        after("speak", *LOCALES),
        {"export": ("consent renewed",)},
    ),
    "the voice's engine": Change(
        other_engine,
        ALL, ("another version of kokoro",),
        {f"{locale} speak {line}": "another version of kokoro" for locale in LOCALES for line in SPOKEN},
        after("speak", *LOCALES),
    ),
    "the recogniser's weights": Change(
        in_config("models.yaml", "56a6d8110d311f19", "0" * 16),
        ALL, ("the recogniser changed",),
        {"transcribe": "the recogniser changed"}, ("align?", *after("align", *LOCALES)),
    ),
    "the watermark's weights": Change(
        in_config("models.yaml", "a15bce457ebc53ce", "0" * 16),
        ALL, ("the watermark changed",), everywhere("mix", "the watermark changed"), after("mix", *LOCALES),
    ),
    "consent, renewed": Change(
        lambda scene: scene.resign("contact: the issue tracker", "contact: somebody at"),
        ALL, (RENEWED,), papers={"export": (RENEWED,)},
    ),
    "how closely the recording is listened to": Change(
        in_config("listening.yaml", "language_probability: 0.50", "language_probability: 0.60"),
        ALL, (LISTENING,), {"align": LISTENING}, after("align", *LOCALES),
    ),
    "how closely deliverables are listened to": Change(
        in_config("listening.yaml", "place_tolerance_s: 1.0", "place_tolerance_s: 0.9"), ALL, (LISTENING,),
    ),
    "a market": Change(
        in_spot("markets: [ES]", "markets: [ES, PT]"), ES, (ORDERED,), papers={"sign": (ORDERED,)},
    ),
    "a market with other rules": Change(
        in_spot("markets: [ES]", "markets: [ES, US-CA]"), ES, (POLICY, ORDERED), papers={"sign": (POLICY, ORDERED)},
    ),
    "the medium": Change(
        in_spot("medium: radio", "medium: podcast"), ALL, (ORDERED,), papers={"sign": (ORDERED,)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_what_is_made_again_and_why(there: Scene, clearspot: Call, case: str) -> None:
    """Consent is asked, the file is signed, the gate listens: however much of it comes from the store."""
    changed = CHANGES[case]
    changed.do(there)
    said = plan(clearspot, there)
    of_it = {name: ("again", changed.why) for name in changed.of}
    assert states(said) == {name: ("kept", ()) for name in states(said)} | of_it
    assert said["empty"] is False
    told = again(said)
    follows = {name: why for name, why in told.items() if "?" in name}
    assert {name: why for name, why in told.items() if name not in follows} == {
        name: (why,) for name, why in changed.again.items()
    }
    assert (tuple(follows), {why[-1] for why in follows.values()} - {BEFORE}) == (changed.follows, set())
    places = [name.split() for name in changed.of]
    papers = {f"{where} {stage} {what}": why for where, what in places for stage, why in PAPERS.items()}
    papers |= {f"{where} {stage} {what}": why for where, what in places for stage, why in changed.papers.items()}
    papers |= {f"{where} authorize": ("consent is asked every time",) for where, _ in places}
    assert again(said, stages=("translate", "authorize", "sign", "gate", "export")) == papers


@pytest.mark.parametrize("case", CHANGES)
def test_a_run_does_what_its_plan_said(
    there: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """What the plan kept is not made; what it said is made; afterwards there is nothing to do, and nothing is done.

    One deliverable is enough: the plans of the others are above; what is kept beside it, in ``test_only_what_changed``.
    """
    changed, caches = CHANGES[case], keep_caches(monkeypatch)
    locale, profile = changed.of[0].split()
    one = ("--locale", locale, "--profile", profile)
    changed.do(there)
    before = everything(there.out)
    said = again(plan(clearspot, there, *one))
    code, report = run(clearspot, there, *one)
    assert (code, verdicts(report)) == (0, {changed.of[0]: "cleared"})
    done = made(caches[-1])
    assert done <= {name.rstrip("?") for name in said}, "nothing that the plan kept is made"
    assert done >= {name for name in said if "?" not in name}, "everything that it said is"
    after = everything(there.out)
    assert {of_one(path) for path in after if after[path] != before.get(path)} == {changed.of[0], ""}
    assert plan(clearspot, there, *one)["empty"]
    assert verdicts(run(clearspot, there, *one)[1]) == {changed.of[0]: "kept"}
    assert (made(caches[-1]), everything(there.out)) == (set(), after)


def of_one(path: str) -> str:
    """Which deliverable a file is of; none: the report and the run's own record."""
    parts = path.rpartition("/")[2].partition(".")[0].split("_")
    return " ".join(parts[1:])
