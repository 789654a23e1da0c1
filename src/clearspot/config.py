"""Delivery profiles, listening limits and the disclosure's wording, as the project configures them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from clearspot.disclosure import DisclosureAsked, wording_for
from clearspot.errors import BadInput, Refused
from clearspot.project import Project
from clearspot.spot import LocaleTag, SpokenText
from clearspot.yamlfile import Strict, load_model, load_yaml, parse_model

Extension = Literal["wav", "mp3", "m4a", "mp4", "flac", "ogg", "opus"]
Codec = Literal["pcm_s16le", "pcm_s24le", "libmp3lame", "aac", "flac", "libvorbis", "libopus"]

CODECS: Mapping[Extension, tuple[Codec, ...]] = {
    "wav": ("pcm_s16le", "pcm_s24le"),
    "mp3": ("libmp3lame",),
    "m4a": ("aac",),
    "mp4": ("aac",),
    "flac": ("flac",),
    "ogg": ("libvorbis",),
    "opus": ("libopus",),
}
"""What each kind of file may hold: where tags are known to be found again."""

LikenessKind = Literal["recorded", "spoken"]
"""What a voice is known by: a recording of the talent that the consent names, or its own speech."""

LOSSLESS: frozenset[Codec] = frozenset({"pcm_s16le", "pcm_s24le", "flac"})


class Profile(Strict):
    """``configs/profiles/<id>.yaml``: how a deliverable is encoded and how loud it is.

    ``codec_headroom_db`` is kept below the true-peak limit before encoding, because lossy codecs overshoot.
    ``short_term_max_lufs`` is how loud any three seconds may be (EBU R 128 s1); None where nothing is asked of them.
    """

    title: str
    extension: Extension
    codec: Codec
    bitrate_kbps: int | None = Field(default=None, ge=32, le=512)
    loudness_lufs: float = Field(ge=-36, le=-9)
    loudness_tolerance_lu: float = Field(gt=0, le=2)
    true_peak_dbtp: float = Field(ge=-9, le=0)
    codec_headroom_db: float = Field(ge=0, le=3)
    short_term_max_lufs: float | None = Field(default=None, ge=-36, le=0)

    @property
    def plain(self) -> dict[str, Any]:
        """Everything in it, for digests; without a limit that is not asked for, so that what was made stays known."""
        return self.model_dump(
            mode="json", exclude={"short_term_max_lufs"} if self.short_term_max_lufs is None else set()
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.codec not in (fitting := CODECS[self.extension]):
            raise ValueError(f"codec: should be {' or '.join(fitting)} in {self.extension} (it is {self.codec!r})")
        if self.bitrate_kbps and self.codec in LOSSLESS:
            raise ValueError(f"bitrate_kbps: {self.codec} keeps every bit; leave it out (it is {self.bitrate_kbps})")
        highest, target = self.short_term_max_lufs, self.loudness_lufs
        if highest is not None and highest <= target:
            raise ValueError(f"short_term_max_lufs: should be over loudness_lufs, {target:g} (it is {highest:g})")
        return self


class RecordingLimits(Strict):
    """How closely the recording must be the approved script; see ``configs/listening.yaml``."""

    line_error_rate: float = Field(ge=0, le=0.5)
    name_closeness: float = Field(ge=0.5, le=1)
    language_probability: float = Field(ge=0.3, le=1)


LEAST_SPOKEN_SIMILARITY = 0.83
"""Below this, other voices of the same model pass (docs/measurements.md, the voice in the delivered file)."""


class DeliverableLimits(Strict):
    """How closely a deliverable must say what was approved; see ``configs/listening.yaml``."""

    disclosure_error_rate: dict[LocaleTag | Literal["other"], Annotated[float, Field(ge=0, le=0.25)]]
    disclosure_clear_db: float = Field(ge=15, le=60)
    disclosure_level_db: float = Field(gt=0, le=6)
    line_error_rate: float = Field(ge=0, le=0.5)
    name_closeness: float = Field(ge=0.5, le=1)
    speaker_similarity: dict[LikenessKind, Annotated[float, Field(ge=0.6, le=1)]]
    speaker_line_similarity: dict[LikenessKind, Annotated[float, Field(ge=0.5, le=1)]]
    place_tolerance_s: float = Field(gt=0, le=5)
    duration_tolerance_s: float = Field(gt=0, le=0.5)

    @model_validator(mode="after")
    def _both_kinds(self) -> Self:
        for name in ("speaker_similarity", "speaker_line_similarity"):
            if missing := sorted({"recorded", "spoken"} - getattr(self, name).keys()):
                raise ValueError(f"{name}.{missing[0]}: is missing")
        if (spoken := self.speaker_similarity["spoken"]) < LEAST_SPOKEN_SIMILARITY:
            raise ValueError(f"speaker_similarity.spoken: should be {LEAST_SPOKEN_SIMILARITY} to 1 (it is {spoken})")
        return self

    @model_validator(mode="after")
    def _other_locales_too(self) -> Self:
        if "other" not in self.disclosure_error_rate:
            raise ValueError("disclosure_error_rate.other: is missing")
        return self

    def disclosure_error_rate_in(self, locale: str) -> float:
        """What a disclosure's error rate may be in a locale: as measured there, or what holds for all others."""
        return self.disclosure_error_rate.get(locale, self.disclosure_error_rate["other"])


class ListeningLimits(Strict):
    """``configs/listening.yaml``. The ranges keep a typing error from switching a check off."""

    recording: RecordingLimits
    deliverable: DeliverableLimits


class DisclosureWording(Strict):
    """The spoken disclosure in one locale: some three seconds, and a longer one.

    ``long`` may tell of consent, so a talent's voice alone says it; every other voice says ``long_plain``.
    """

    short: SpokenText
    long: SpokenText
    long_plain: SpokenText | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """Every wording that there is."""
        return tuple(text for text in (self.short, self.long, self.long_plain) if text)

    def of(self, wording: str) -> str | None:
        """A wording by its field's name, if there is one."""
        return {"short": self.short, "long": self.long, "long_plain": self.long_plain}[wording]


class _Disclosures(Strict):
    locales: dict[LocaleTag, DisclosureWording]


def load_profile(project: Project, profile_id: str) -> Profile:
    """A delivery profile by its id.

    Raises:
        BadInput: There is none of that name, or its file is wrong.
    """
    files = project.configs("profiles")
    if profile_id not in files:
        raise BadInput(
            f"there is no delivery profile {profile_id!r}; there is: {', '.join(sorted(files))}.",
            where="profiles",
        )
    return load_model(Profile, files[profile_id])


def load_limits(project: Project) -> ListeningLimits:
    """The project's listening limits."""
    return load_model(ListeningLimits, project.config("listening.yaml"))


def load_wordings(project: Project) -> dict[str, DisclosureWording]:
    """The disclosure's wordings in every locale that has them."""
    path = project.config("disclosures.yaml")
    return parse_model(_Disclosures, {"locales": load_yaml(path)}, path).locales


def load_disclosure(project: Project, locale: str, asked: DisclosureAsked, basis: str = "") -> str:
    """The words of the spoken disclosure in a locale.

    Args:
        project: Whose wordings.
        locale: A BCP-47 tag.
        asked: What the locale's markets ask of it.
        basis: Of the consent that the voice speaks by; of any but ``talent`` no consent is told.

    Raises:
        Refused: There is no wording for it, or the wording lacks words that a market asks for; nothing is spoken
            undisclosed.
    """
    return disclosure_in(load_wordings(project), project, locale, asked, basis)


def disclosure_in(
    wording: Mapping[str, DisclosureWording], project: Project, locale: str, asked: DisclosureAsked, basis: str
) -> str:
    """The same, of wordings that were read already.

    Raises:
        Refused: As ``load_disclosure``.
    """
    path = project.config("disclosures.yaml")
    if locale not in wording:
        raise Refused(
            f"there is no disclosure wording for {locale}; there is for: {', '.join(wording)}.",
            where=str(path),
            remedy="Add one; without it nothing may be spoken in that locale.",
        )
    field = wording_for(asked, basis)
    words = wording[locale].of(field)
    if words is None:
        raise Refused(
            f"there is no {field} disclosure in {locale}, and a voice on the basis {basis!r} may not say the long one: "
            "nobody consented.",
            where=f"{path}: {locale}",
            remedy=f"Add {field}, the long wording without a word of consent, or name a talent's voice.",
        )
    for group in asked.must_hold:
        if not any(word.casefold() in words.casefold() for word in group):
            raise Refused(
                f"the disclosure in {locale} has to hold {' or '.join(map(repr, group))}; it is {words!r}.",
                where=f"{path}: {locale}.{field}",
                remedy="Reword it; `clearspot policy explain` says which market asks for that.",
            )
    return words
