"""``clearspot keys``: what signs deliverables, receipts and consent, and whose consent counts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clearspot.consent.trust import ConsentKey

app = typer.Typer(help="Signing keys, and whose consent counts.", no_args_is_help=True)


@app.command("init")
def init(
    renew: Annotated[bool, typer.Option("--renew", help="Make new ones; what was signed still verifies.")] = False,
) -> None:
    """Make the keys that sign, readable only by you, publish their public halves, and begin the audit log."""
    from clearspot.consent.authority import writing_authority
    from clearspot.project import find_project
    from clearspot.provenance.keys import CONSENT_PUBLIC, create_keys

    project = find_project()
    now = dt.datetime.now(dt.UTC)
    made = create_keys(
        project.keys_dir,
        project.own_trust_dir,
        project.settings.provider,
        now,
        renew=renew,
        signing=project.settings.signing,
    )
    if writing_authority(project).log.begin():
        typer.echo(f"audit log:     {project.audit_dir} (begun; back it up)")
        if not made:
            typer.echo("There were keys and no log: if there was one, put it back from its backup now.")
    if not made:
        typer.echo(f"keys are there already: {project.keys_dir} (--renew makes new ones)")
        return
    typer.echo(f"private keys:  {project.keys_dir} (never share or commit them)")
    typer.echo(f"trust anchors: {project.own_trust_dir} (copy them to whoever verifies)")
    typer.echo(f"consent key:   {project.keys_dir / CONSENT_PUBLIC} (`clearspot keys trust` says for which voices)")
    if project.settings.signing.command:
        typer.echo("Manifests are signed by the command in configs/clearspot.yaml; put its root into configs/trust/.")
    else:
        typer.echo("This is a development certificate chain: it proves what this machine made, not who you are.")


@app.command("show")
def show() -> None:
    """Show what would sign, and until when; and whose consent counts for which voices."""
    from clearspot.consent.trust import load_consent_keys
    from clearspot.project import find_project
    from clearspot.provenance.keys import WARN_DAYS, signing_keys_of
    from clearspot.signing import key_id

    project = find_project()
    now = dt.datetime.now(dt.UTC)
    keys = signing_keys_of(project, now)
    typer.echo(f"certificate:  {keys.certificate.subject.rfc4514_string()}")
    if keys.command:
        typer.echo(f"signed by:    the command {keys.command[0]}")
    left = keys.days_left(now)
    soon = f" (in {left} days: {keys.renewal})" if left < WARN_DAYS else ""
    typer.echo(f"valid until:  {keys.ends:%Y-%m-%d}{soon}")
    typer.echo(f"time stamps:  {keys.tsa_url or 'none: signatures carry no trusted time'}")
    typer.echo(f"receipt key:  {key_id(keys.receipt_key.public_key())} (signs the audit log too)")
    for name, key in load_consent_keys(project.trust_dirs).keys.items():
        state = f"revoked {key.revoked}" if key.revoked else f"until {key.until}" if key.until else "no end"
        typer.echo(f"consent key:  {name} {key.holder}, {key.role} of {', '.join(key.voices)}, {state}")


@app.command("trust")
def trust(
    public: Annotated[Path, typer.Argument(help="The public key (PEM) of whoever may sign.")],
    holder: Annotated[str, typer.Option(help="Whose it is, exactly as the consent record names them.")],
    role: Annotated[str, typer.Option(help="In which role: talent, guardian or licensee.")],
    voice: Annotated[list[str], typer.Option(help="For this voice (repeatable).")],
) -> None:
    """Let a key's signature count as consent, for certain voices: a line in configs/trust/consent-keys.yaml."""
    from clearspot.consent.authority import accept_circle, require_known_circle
    from clearspot.consent.trust import ConsentKey, add_key, load_consent_keys
    from clearspot.errors import Refused
    from clearspot.project import find_project
    from clearspot.provenance.keys import load_public_key
    from clearspot.signing import public_text
    from clearspot.yamlfile import parse_model

    project = find_project()
    given = {"public": public_text(load_public_key(public)), "holder": holder, "role": role, "voices": voice}
    key = parse_model(ConsentKey, given, Path("keys trust"))
    require_known_circle(project)
    before = load_consent_keys(project.trust_dirs).keys.get(key.id)
    if before is not None and (ended := before.revoked or before.until):
        raise Refused(
            f"key {key.id} ended on {ended}; a key that ended is not trusted again.",
            where=str(public),
            remedy="Make a new key for whoever signs.",
        )
    path = add_key(project.root / "configs" / "trust", key)
    accept_circle(project)
    typer.echo(f"{key.id} counts as {holder}, {role} of {', '.join(voice)}: {path}")


@app.command("retire")
def retire(
    key: Annotated[str, typer.Argument(help="The key's id, as `clearspot keys show` lists it.")],
    revoke: Annotated[
        bool, typer.Option("--revoke", help="It was stolen or lost: what it signed counts no more either.")
    ] = False,
) -> None:
    """End a key as of today: it signs nothing new, and what it signed so far stays good (unless --revoke)."""
    from clearspot.consent.authority import accept_circle, require_known_circle
    from clearspot.consent.trust import add_key, load_consent_keys
    from clearspot.errors import BadInput
    from clearspot.project import find_project

    project = find_project()
    require_known_circle(project)
    known = load_consent_keys(project.trust_dirs).keys
    if key not in known:
        raise BadInput(f"there is no consent key {key!r}; there is: {', '.join(known) or 'none'}.", where="KEY")
    today = dt.datetime.now(dt.UTC).date()
    signed = _signed_with(known[key], project.voice_folders())
    ended = {"revoked": str(today)} if revoke else {"until": str(today - dt.timedelta(days=1)), "records": signed}
    path = add_key(project.root / "configs" / "trust", known[key].model_copy(update=ended))
    accept_circle(project)
    how = "counts for nothing any more" if revoke else f"signs nothing new; {len(signed)} records of it stay good"
    typer.echo(f"{key} {how}: {path}")


@app.command("accept")
def accept() -> None:
    """Say yes to a changed circle of signers: somebody edited, or you pulled, configs/trust/consent-keys.yaml."""
    from clearspot.consent.authority import accept_circle
    from clearspot.project import find_project

    changed = accept_circle(find_project())
    typer.echo(f"accepted: {', '.join(changed)}" if changed else "nothing has changed")


def _signed_with(key: ConsentKey, voices: dict[str, Path]) -> tuple[str, ...]:
    """The digests of all records, of today and before, that a key signed."""
    from clearspot.consent.registry import SIGNATURE_FILE
    from clearspot.consent.signature import Signatures, signed_by
    from clearspot.yamlfile import load_model

    paths = (path for folder in voices.values() for path in sorted(folder.rglob(SIGNATURE_FILE)))
    found = (load_model(Signatures, path) for path in paths)
    return tuple(dict.fromkeys(one.record_sha256 for one in found if signed_by(one, key)))
