"""Engines by name: those shipped and those of other packages, all of them entry points."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any, Literal

from clearspot.disclosure import FASTEST, SLOWEST
from clearspot.errors import BadInput, ClearspotError, MachineFault

Kind = Literal["speech", "recognition", "translation"]

KINDS: tuple[Kind, ...] = ("speech", "recognition", "translation")


ESPEAK = ("espeak-ng", "espeak")
"""Programs that give phonemes, in the order in which Coqui looks for them."""

ESPEAK_TIMEOUT_S = 30


def engines_of(kind: Kind) -> dict[str, EntryPoint]:
    """Every engine of a kind by its name, in the order of names: the entry points of the group ``clearspot.<kind>``.

    Raises:
        BadInput: Two packages bring an engine of one name: which of them would speak must not be left to chance.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=f"clearspot.{kind}"), key=lambda each: each.name):
        if (other := found.setdefault(point.name, point)) != point:
            raise BadInput(
                f"two packages bring a {kind} engine {point.name!r}: {package_of(other)} and {package_of(point)}.",
                where=f"entry points clearspot.{kind}",
                remedy="Uninstall one of them.",
            )
    return found


def require_engines(options: Mapping[str, object], where: str) -> None:
    """That options are given to engines that there are: of a name with a slip nobody would ever ask.

    Args:
        options: Options of engines by their names.
        where: The file and field that give them.

    Raises:
        BadInput: There is no engine of that name of any kind.
    """
    if not options:
        return
    known = sorted({point.name for kind in KINDS for point in entry_points(group=f"clearspot.{kind}")})
    if unknown := sorted(options.keys() - set(known)):
        raise BadInput(
            f"there is no engine {', '.join(map(repr, unknown))}; there is: {', '.join(known)}.",
            where=where,
            remedy="Correct the name, or install the package that brings it.",
        )


def package_of(point: EntryPoint) -> str:
    """Name and version of the package that brings an engine."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package without metadata"


def make_engine(kind: Kind, name: str, where: str, *arguments: object, options: Mapping[str, Any]) -> object:
    """A new engine of that name.

    Args:
        kind: What it is for.
        name: Its entry point's name.
        where: The file and field that name it.
        arguments: What engines of its kind are made with, before their options.
        options: ``engines.<name>`` of the project's settings.

    Raises:
        BadInput: There is none of that name, or its options are wrong.
        MachineFault: Its package cannot be imported, or fails.
    """
    known = engines_of(kind)
    if name not in known:
        raise BadInput(f"there is no {kind} engine {name!r}; there is: {', '.join(known)}.", where=where)
    failed, remedy = "imported", "Install what it needs, or uninstall it."
    try:
        make = known[name].load()
        failed, remedy = "made", "Tell whoever makes it, or uninstall it."
        return make(*arguments, options)
    except ClearspotError:
        raise
    except Exception as error:
        raise MachineFault(
            f"{kind} engine {name!r} cannot be {failed}: {type(error).__name__}: {error}.",
            where=package_of(known[name]),
            remedy=remedy,
        ) from error


def require_options(options: Mapping[str, Any], known: tuple[str, ...], engine: str, *, where: str = "") -> None:
    """That an engine was given no options but those that it knows.

    Args:
        options: What it was given.
        known: What it knows.
        engine: Its name.
        where: What gave them; the project's settings unless named.

    Raises:
        BadInput: There is another.
    """
    if unknown := sorted(options.keys() - set(known)):
        raise BadInput(
            f"{engine} has no option {', '.join(unknown)}; it has: {', '.join(known) or 'none'}.",
            where=where or f"configs/clearspot.yaml: engines.{engine}",
        )


def device_of(options: Mapping[str, Any], engine: str) -> str:
    """Where an engine of torch runs: ``cpu`` where nothing is said; never guessed.

    Raises:
        BadInput: It is not a device.
    """
    device = options.get("device", "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d{1,2})?", str(device)):
        raise BadInput(
            f"{device!r} is not a device; there is: cpu, cuda, cuda:1 and so on.",
            where=f"configs/clearspot.yaml: engines.{engine}.device",
        )
    return str(device)


def versions(*packages: str, extra: str = "") -> str:
    """Names and versions of the packages whose code makes an engine's sound or words what they are.

    Args:
        packages: All that may change them: the engine's own, what runs its networks, what gives its phonemes.
        extra: The extra of ours that brings them; empty where they come with Clearspot itself.

    Raises:
        MachineFault: One is not installed.
    """
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError as error:
            needs, brings = f"engine {extra!r} needs", f"'clearspot[{extra}]'"
            raise MachineFault(
                f"{needs if extra else 'Clearspot needs'} {package}, which is not installed.",
                where=package,
                remedy=f"Run: pip install {brings if extra else 'clearspot'}",
            ) from error
    return ", ".join(found)


def espeak_here() -> str:
    """The espeak-ng of this machine as it names itself: it gives some models their phonemes, and is of no package.

    Raises:
        MachineFault: It is there, and does not say its version.
    """
    program = next(filter(None, map(shutil.which, ESPEAK)), None)
    if program is None:
        return "no espeak-ng"
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ESPEAK_TIMEOUT_S,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise MachineFault(f"does not say its version: {error}.", where=program) from error
    # "eSpeak NG text-to-speech: 1.51  Data at: /usr/lib/..." : where it lies changes no sound
    named = " ".join(done.stdout.partition("Data at")[0].replace("text-to-speech:", "").split())
    return named or "espeak-ng of no version"


def require_rate(rate: float) -> None:
    """That a speaking rate, times the natural speed, is one that speech keeps sounding like speech at.

    Raises:
        BadInput: It is below 0.5, above 2, or no number.
    """
    if not SLOWEST <= rate <= FASTEST:
        raise BadInput(f"{rate:g} is not a rate from {SLOWEST:g} to {FASTEST:g}.", where="rate")


def require_words(text: str, engine: str) -> None:
    """That there is something to say: an engine makes a noise of some kind even of dots and signs.

    Raises:
        BadInput: There is no letter and no figure in the text.
    """
    if not any(each.isalnum() for each in text):
        raise BadInput(f"{engine} cannot speak this: there is no letter and no figure in it.", where=repr(text))
