"""What a report says in names and values: the spot, the consent's scope, the receipt's digests, the engines."""

from __future__ import annotations

from collections.abc import Iterator

from clearspot.report.data import Fact
from clearspot.report.records import About, ConsentRead, Receipt

SCOPE = {
    "locales": "Locales",
    "markets": "Markets",
    "advertisers": "Advertisers",
    "products": "Products",
    "excluded_categories": "Never for",
    "media": "Media",
    "purposes": "Purposes",
    "max_spots": "Most spots",
    "approval": "The owner approves each spot",
}
"""The fields of a scope that a page may show; a record has others, and those about persons stay in it."""

APPROVAL = {"per-spot": "yes, each", "not-needed": "not needed"}


def of_spot(about: About) -> tuple[Fact, ...]:
    """What the spot is for."""
    named = (
        ("Advertiser", about.advertiser),
        ("Product", about.product),
        ("Medium", about.medium),
        ("Purpose", about.purpose),
        ("Recorded in", about.source_locale),
    )
    return tuple(Fact(name, value) for name, value in named if value)


def of_consent(consent: ConsentRead) -> tuple[Fact, ...]:
    """What the voice's owner allowed, by record and scope, without saying who the owner is."""
    return tuple(_consent(consent))


def of_proof(body: Receipt) -> tuple[Fact, ...]:
    """The digests that a receipt names, and who signed the manifest."""
    return tuple(_proof(body))


def of_engines(body: Receipt) -> tuple[Fact, ...]:
    """What spoke and what listened."""
    return tuple(
        Fact(
            f"Engine, {role}",
            "\n".join((one.engine, *(f"{name}: {digest}" for name, digest in one.weights.items()))),
            exact=True,
        )
        for role, one in body.engines.items()
    )


def _consent(consent: ConsentRead) -> Iterator[Fact]:
    yield Fact("Record", consent.record)
    yield Fact("Basis", consent.basis)
    for field, name in SCOPE.items():
        if field in consent.scope:
            value = consent.scope[field]
            told = ", ".join(value) or "nothing excluded" if isinstance(value, tuple) else str(value)
            yield Fact(name, APPROVAL.get(told, told))
    for field, allowed in consent.derivatives.items():
        yield Fact(field.capitalize(), "allowed" if allowed else "not allowed")
    if consent.term:
        term = consent.term
        yield Fact("Term", f"{term.get('start', '?')} to {term.get('end', '?')}, {term.get('time_zone', '?')}")
    yield Fact("Signed with keys", ", ".join(consent.signed_by_keys), exact=True)
    yield Fact("Record's sha256", consent.record_sha256, exact=True)


def _proof(body: Receipt) -> Iterator[Fact]:
    provenance = body.provenance
    yield Fact("Manifest", provenance.manifest)
    yield Fact("Signer", provenance.signer or "none")
    yield Fact("Trusted time stamp", "yes" if provenance.trusted_time else "none")
    if body.audit:
        yield Fact("Audit log", f"entry {body.audit.entry}")
    yield Fact("Clearspot", body.clearspot)
    yield Fact("Essence's sha256", body.essence_sha256, exact=True)
    yield Fact("File's sha256", body.file_sha256, exact=True)
    for name, digest in body.inputs.items():
        yield Fact(f"Input, {name}", digest, exact=True)
