"""What nobody may make, and what the gate refused: a plan says so once, by name, until something changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from clearspot.project import shipped
from clearspot.yamlfile import dump_yaml, load_yaml
from tests import change_scenes
from tests.change_scenes import (
    LOCALES,
    PROFILES,
    Call,
    again,
    approve,
    made_before,
    plan,
    run,
    sine,
    states,
    verdicts,
)
from tests.conftest import Scene, edit

ALL = tuple(f"{locale} {profile}" for locale in LOCALES for profile in PROFILES)
ES, IT = ALL[:2], ALL[2:]
MEDIA = {"es-ES_podcast": "mp3", "es-ES_stream": "m4a", "it-IT_podcast": "mp3", "it-IT_stream": "m4a"}
KEPT = dict.fromkeys(ALL, ("kept", ()))
YES = ("--reason", "We parted.", "--yes")
ONE = ("--locale", "es-ES", "--profile", "podcast")

NEW_OFFER = "Hasta el domingo, te ahorras un 30 % en tu primer pedido en lumencoffee.com."
OFFER = f"offer: {NEW_OFFER!r} (changed since it was approved)"
HELLO = "hello: 'Hola, soy Nora, de Lumen Coffee.' (never approved)"
NO_SCRIPT = "the script was never approved."


@pytest.fixture
def there(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """The small spot with everything of it made."""
    return made_before(scene, tmp_path_factory.getbasetemp(), clearspot)


def new_words(scene: Scene) -> None:
    change_scenes.new_words(scene.spot)


def not_hello(scene: Scene) -> None:
    edit(scene.spot / "approvals.yaml", "  es-ES:\n    hello:", "  es-ES:\n    hullo:")


def no_script(scene: Scene) -> None:
    """The script's own sign-off is taken back; those of the translations stay."""
    path = scene.spot / "approvals.yaml"
    left = {name: each for name, each in load_yaml(path).items() if name != "script"}
    path.write_text(dump_yaml(left), encoding="utf-8")


def only_italian(scene: Scene) -> None:
    scene.resign("locales: any", "locales: [it-IT]")


def no_wording(scene: Scene) -> None:
    wording = (shipped("configs") / "disclosures.yaml").read_text(encoding="utf-8")
    (spanish,) = (line for line in wording.splitlines(keepends=True) if line.startswith("es-ES"))
    scene.config("disclosures.yaml", spanish, "")


def media(scene: Scene) -> list[str]:
    """Every sound under a final name."""
    return sorted(path.name for path in scene.out.rglob("*") if path.suffix in {".mp3", ".m4a"})


# --- what waits for a sign-off -----------------------------------------------------------------------------------


LEGAL = {
    "es-ES": "legal: 'Oferta válida hasta el 30 de junio. Se aplican condiciones.' (changed since it was approved)",
    "it-IT": "legal: 'Offerta valida fino al 30 giugno. Si applicano condizioni.' (changed since it was approved)",
}
SCRIPT = "the script changed since Ana approved it on 2026-11-22 (line legal)."

WAITING: dict[str, tuple[tuple[Callable[[Scene], object], ...], dict[str, tuple[str, ...]]]] = {
    "new words": ((new_words,), {"es-ES": (f"not approved in es-ES: {OFFER}.",)}),
    "a sign-off taken back": ((not_hello,), {"es-ES": (f"not approved in es-ES: {HELLO}.",)}),
    "both": ((not_hello, new_words), {"es-ES": (f"not approved in es-ES: {HELLO}; {OFFER}.",)}),
    "the script's sign-off taken back": ((no_script,), dict.fromkeys(LOCALES, (NO_SCRIPT,))),
    "both of them": (
        (no_script, new_words),
        {"es-ES": (NO_SCRIPT, f"not approved in es-ES: {OFFER}."), "it-IT": (NO_SCRIPT,)},
    ),
    "a word of the script": (
        (lambda scene: edit(scene.spot / "script.yaml", "Terms apply", "See terms"),),
        {locale: (SCRIPT, f"not approved in {locale}: {told}.") for locale, told in LEGAL.items()},
    ),
}


STAYS = {"new words", "a word of the script"}
"""Where a sign-off was taken back, the published file says what nobody stands for any more: a sweep takes it away."""


@pytest.mark.parametrize("case", WAITING)
def test_what_waits_for_a_sign_off_names_exactly_the_lines(there: Scene, clearspot: Call, case: str) -> None:
    """What lies there stays meanwhile, as long as all that it says is signed off: it says what was approved."""
    changes, told = WAITING[case]
    for change in changes:
        change(there)
    said = plan(clearspot, there)
    blocked = {f"{locale} {profile}": ("blocked", why) for locale, why in told.items() for profile in PROFILES}
    assert (states(said), said["empty"]) == (KEPT | blocked, case in STAYS)


def test_of_new_words_only_the_new_ones_would_be_spoken(there: Scene, clearspot: Call) -> None:
    new_words(there)
    said = plan(clearspot, there)
    assert again(said, stages=("translate", "speak")) == {"es-ES speak offer": ("it is not in the store",)}
    assert clearspot("plan", there.spot, "--out", there.out)[1].splitlines()[:9] == [
        "lumen-coffee: 2 of 4 deliverables are kept",
        "",
        "es-ES  blocked: podcast, stream",
        f"    not approved in es-ES: {OFFER}.",
        "  translate  kept",
        "  authorize  again: consent is asked every time",
        "  speak      again (3 kept) offer: it is not in the store",
        "  fit        again: what comes before it is made again",
        "  mix        again: what comes before it is made again",
    ]


def test_signed_off_it_is_made(there: Scene, clearspot: Call) -> None:
    new_words(there)
    approve(there.spot)
    assert states(plan(clearspot, there)) == KEPT | dict.fromkeys(ES, ("again", ("line `offer` changed in es-ES",)))


def test_what_was_never_made_is_refused_once(there: Scene, clearspot: Call) -> None:
    """Somebody has to hear of it: the first time there is something to do, and then there is not."""
    shutil.rmtree(there.out)
    new_words(there)
    assert plan(clearspot, there, *ONE)["empty"] is False
    assert run(clearspot, there, *ONE)[0] == 1
    said = plan(clearspot, there, *ONE)
    assert (said["empty"], states(said)) == (
        True,
        {"es-ES podcast": ("blocked", (f"not approved in es-ES: {OFFER}.",))},
    )
    approve(there.spot)
    assert states(plan(clearspot, there, *ONE)) == {"es-ES podcast": ("again", ("it was refused",))}
    assert run(clearspot, there, *ONE)[0] == 0
    assert plan(clearspot, there, *ONE)["empty"] is True


def test_a_line_whose_sign_off_changes_needs_new_papers_where_drafts_may_leave(there: Scene, clearspot: Call) -> None:
    """The receipt says which lines are drafts, so it is made anew; nothing is heard that was not there."""
    edit(there.spot / "spot.yaml", "medium:", "policy: {drafts: export}\nmedium:")
    assert run(clearspot, there, *ONE)[0] == 0
    not_hello(there)
    told = "line `hello` is approved now, or is not any more, in es-ES"
    said = plan(clearspot, there, *ONE)
    assert (states(said), again(said)) == ({"es-ES podcast": ("again", (told,))}, {})
    assert again(said, stages=("sign",)) == {"es-ES sign podcast": (told,)}
    assert run(clearspot, there, *ONE)[0] == 0
    assert there.studio.voice.asked == []
    approve(there.spot)
    assert states(plan(clearspot, there, *ONE)) == {"es-ES podcast": ("again", (told,))}


# --- consent that does not cover it ------------------------------------------------------------------------------


def test_consent_that_was_revoked(there: Scene, clearspot: Call) -> None:
    """There is something to do as long as anything lies there: it is withdrawn. Then there is nothing any more."""
    assert clearspot("voices", "revoke", "house", *YES)[0] == 0
    said = plan(clearspot, there)
    ((state, why),) = set(states(said).values())
    assert (state, said["empty"], len(why)) == ("blocked", False, 1)
    assert why[0].startswith("consent record 'house-2026-11' was revoked on ")
    code, report = run(clearspot, there)
    assert (code, verdicts(report)) == (1, dict.fromkeys(ALL, "refused"))
    assert (media(there), there.studio.voice.asked) == ([], [])
    said = plan(clearspot, there)
    assert (states(said), said["empty"]) == (dict.fromkeys(ALL, ("blocked", why)), True)


def test_consent_for_some_locales_blocks_the_others(there: Scene, clearspot: Call) -> None:
    only_italian(there)
    said = states(plan(clearspot, there))
    assert {said[name] for name in IT} == {("again", ("consent renewed: export only",))}
    ((state, why),) = {said[name] for name in ES}
    assert (state, why) == (
        "blocked",
        ("consent record 'house-2026-11' does not allow this: scope.locales: asked 'es-ES', allowed 'it-IT'.",),
    )


def test_weights_that_nobody_consented_to(there: Scene, clearspot: Call) -> None:
    digest = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
    there.config("models.yaml", digest, "a" * 64)
    said = plan(clearspot, there)
    told = f"consent record 'house-2026-11' does not allow this: weights.model: asked '{'a' * 64}', allowed '{digest}'."
    assert (states(said), said["empty"]) == (dict.fromkeys(ALL, ("blocked", (told,))), False)


def test_a_locale_without_a_wording_for_the_disclosure(there: Scene, clearspot: Call) -> None:
    no_wording(there)
    said = plan(clearspot, there)
    ((state, why),) = {states(said)[name] for name in ES}
    assert (state, said["empty"]) == ("blocked", False)
    assert why[0].startswith("there is no disclosure wording for es-ES; there is for: en-US")
    assert {states(said)[name] for name in IT} == {("kept", ())}


def test_everything_that_stands_against_it_is_told(there: Scene, clearspot: Call) -> None:
    """Who signs off the words should know that it helps nothing. And consent that ended takes away what lies there."""
    no_script(there)
    new_words(there)
    only_italian(there)
    said = plan(clearspot, there)
    assert said["empty"] is False
    assert states(said)["es-ES podcast"] == (
        "blocked",
        (
            NO_SCRIPT,
            f"not approved in es-ES: {OFFER}.",
            "consent record 'house-2026-11' does not allow this: scope.locales: asked 'es-ES', allowed 'it-IT'.",
        ),
    )
    assert states(said)["it-IT podcast"] == ("blocked", (NO_SCRIPT,))


# --- what the gate refused ---------------------------------------------------------------------------------------


def refuse(scene: Scene, clearspot: Call) -> str:
    """Let the gate miss a line of the Spanish podcast, and give what it said."""
    (scene.out / "lumen-coffee" / "es-ES" / "lumen-coffee_es-ES_podcast.mp3").unlink()
    scene.deaf_to = "Oferta"
    code, report = run(clearspot, scene, *ONE)
    scene.deaf_to = ""
    assert code == 1
    told = str(report["deliverables"][0]["error"]["what"])
    assert told.startswith("the gate refused it: lines-heard: ")
    return told


def test_what_the_gate_refused_is_not_news(there: Scene, clearspot: Call) -> None:
    told = refuse(there, clearspot)
    said = plan(clearspot, there)
    assert (states(said), said["empty"]) == (KEPT | {"es-ES podcast": ("refused", (told,))}, True)
    assert media(there) == [f"lumen-coffee_{name}.{end}" for name, end in MEDIA.items() if name != "es-ES_podcast"]


def test_who_asks_for_it_gets_another_try(there: Scene, clearspot: Call) -> None:
    """A run does it all the same: perhaps it was the machine. What was spoken comes from the store."""
    refuse(there, clearspot)
    assert run(clearspot, there)[0] == 0
    assert (states(plan(clearspot, there)), there.studio.voice.asked) == (KEPT, [])


FIXES: dict[str, Callable[[Scene], object]] = {
    "other words": lambda scene: (new_words(scene), approve(scene.spot)),
    "another bed": lambda scene: sine(scene.spot / "bed.flac", 550, 5),
    "another profile": lambda scene: scene.config("profiles/podcast.yaml", "192", "256"),
    "other limits": lambda scene: scene.config("listening.yaml", "place_tolerance_s: 1.0", "place_tolerance_s: 0.9"),
    "consent, renewed": lambda scene: scene.resign("contact: the issue tracker", "contact: somebody at"),
}


@pytest.mark.parametrize("case", FIXES)
def test_what_the_gate_refused_is_made_again_when_something_changes(there: Scene, clearspot: Call, case: str) -> None:
    refuse(there, clearspot)
    FIXES[case](there)
    said = plan(clearspot, there, *ONE)
    assert (states(said), said["empty"]) == ({"es-ES podcast": ("again", ("it was refused",))}, False)


def test_fixed_it_is_kept(there: Scene, clearspot: Call) -> None:
    refuse(there, clearspot)
    FIXES["another profile"](there)
    assert run(clearspot, there, *ONE)[0] == 0
    said = plan(clearspot, there, *ONE)
    assert (states(said), said["empty"]) == ({"es-ES podcast": ("kept", ())}, True)


# --- a store that cannot be read ---------------------------------------------------------------------------------


def test_a_plan_without_a_store_answers_and_warns_once(there: Scene, clearspot: Call) -> None:
    shutil.rmtree(there.project.store_dir)
    there.project.store_dir.write_bytes(b"a file where a folder should be")
    assert states(plan(clearspot, there)) == KEPT, "nothing of it is needed for what is kept"
    sine(there.spot / "bed.flac", 550, 5)
    code, out, err = clearspot("plan", there.spot, "--out", there.out, "--json")
    assert (code, states(json.loads(out))) == (0, dict.fromkeys(ALL, ("again", ("the bed changed",))))
    assert err.startswith(f"clearspot: warning: {there.project.store_dir}/")
    assert err.count("the store is not used for the rest of this run: cannot be read: Not a directory.") == 1
    assert err.count("\n") == 1
