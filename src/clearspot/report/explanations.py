"""What each rule of the gate is for, in words for people who never read its code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule's title, what it checks and why, and what to do where it failed."""

    title: str
    checks: str
    mend: str


EXPLANATIONS: dict[str, Explanation] = {
    "consent-valid": Explanation(
        "The voice may be used",
        "The owner of the voice allowed exactly this: this language, market, advertiser, product and medium, today. "
        "It is asked once more after the file is made, so that a consent withdrawn meanwhile still counts.",
        "Ask the voice's owner for a consent record that covers this use, or take this use out of the spot.",
    ),
    "script-approved": Explanation(
        "The script is approved",
        "Somebody signed off the script word for word as it stands now, and the spokesperson's recording says it.",
        "Read the script and approve it; if the recording says something else, record that line again.",
    ),
    "translation-approved": Explanation(
        "The translation is approved",
        "Somebody signed off each translated line as it stands now. Drafts leave only where the spot's owner allows "
        "them.",
        "Read the lines that are named, correct them where they need it, and approve them.",
    ),
    "disclosure-heard": Explanation(
        "The listener is told that the voice is synthetic",
        "A speech recogniser listens to the finished file without knowing what to expect. It must hear the disclosure, "
        "word for word, at its place. The error rate is the share of characters that were heard differently: "
        "0 is exact.",
        "Listen to the disclosure: it may be missing, covered by the music, cut, or in another language.",
    ),
    "disclosure-clear": Explanation(
        "Nothing covers the disclosure",
        "The music is out while the disclosure is spoken, and the disclosure is as loud as the rest of the speech. "
        "Measured in the finished file, against the voice alone as it was made: how far the disclosure stands over "
        "whatever else is heard while it is spoken, and how loud it is beside the lines.",
        "Listen to the disclosure. If music is under it, run the spot again; if it is too soft, the voice reads it so: "
        "ask for another wording or another voice.",
    ),
    "disclosure-placed": Explanation(
        "The disclosure is where the markets ask for it",
        "It comes first; where the rules of a market ask for it, it is repeated in long programmes, said at the end, "
        "and read at a pace that can be followed.",
        "See with `clearspot policy explain` which market asks for what; a wording with fewer or more characters "
        "changes the pace.",
    ),
    "watermark-detected": Explanation(
        "The sound itself is marked",
        "An inaudible watermark is in the sound, so that the file can be told as generated after its tags and its "
        "manifest were stripped. It is looked for in the finished file.",
        "Very loud or very dense music may cover the mark: use a softer bed, or a profile of a higher bitrate.",
    ),
    "lines-heard": Explanation(
        "Every line is said as approved",
        "The same recogniser must hear every line in its words and at its place. Numbers, prices and dates must agree "
        "exactly, and nothing may be said besides; a few misheard letters elsewhere are allowed, because recognition "
        "is not perfect.",
        "Listen to the lines that are named. If they are said well, the wording may be hard to understand: reword it.",
    ),
    "speaker-consented": Explanation(
        "The voice is the one that was allowed",
        "The speech in the finished file is compared with how the consented voice sounds: with the talent's own "
        "recording where the consent names one, else with what the very voice model says. 1 is the same voice.",
        "Listen to the line that is named. If it is the right voice, the music may be too loud under it; if it is not, "
        "somebody changed what was spoken: empty the store and run the spot again.",
    ),
    "loudness": Explanation(
        "As loud as the delivery profile asks",
        "The programme's loudness over its whole length, measured in the finished file by the method that "
        "broadcasters use (ITU-R BS.1770), and where the profile asks for it that of the loudest three seconds "
        "(short-term). LUFS is the unit; a difference of 1 LU can just be heard.",
        "Check the delivery profile: another loudness, or another bitrate, may be reachable where this one is not.",
    ),
    "true-peak": Explanation(
        "No distortion from peaks",
        "The highest peak that a player will produce, measured in the finished file. Over the limit, players and "
        "broadcast chains may distort.",
        "Ask for less loudness, or for more headroom, in the delivery profile.",
    ),
    "duration": Explanation(
        "As long as it was planned",
        "The finished file has the length of the plan: nothing was cut off, nothing was added.",
        "Run it again. If that does not help, the encoder of this delivery profile is at fault.",
    ),
    "tags-present": Explanation(
        "The file says so in its tags",
        "Players and platforms can read in the file that its voice was made by a machine, by whom, with what and when.",
        "Run it again; if another tool touched the file, use the one that this run made.",
    ),
    "manifest-trusted": Explanation(
        "The signed proof is in the file",
        "The file carries a signed manifest (C2PA, content credentials) that names these very bytes, and the "
        "signature is of somebody this project trusts. A changed file no longer fits its manifest.",
        "Check the signing certificate with `clearspot keys show`, then run it again.",
    ),
    "certificate-lasts": Explanation(
        "The signer's certificate lasts",
        "Whoever signed the file did so with a certificate that is valid, and will be for a while. Once it has ended, "
        "nothing more is exported.",
        "Renew the signing certificate; `clearspot keys show` says until when it is valid, and how.",
    ),
}
"""By the name of the rule, as findings carry it."""

UNKNOWN = Explanation(
    "A rule without an explanation",
    "This page was made by a version of Clearspot that does not know this rule. What it measured stands beside it.",
    "See the gate rules in Clearspot's reference.",
)


def explain(rule: str) -> Explanation:
    """What a rule is for; one that nobody explained is told as such."""
    return EXPLANATIONS.get(rule, UNKNOWN)
