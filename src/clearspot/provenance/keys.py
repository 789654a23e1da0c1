"""Signing keys and trust anchors: a development certificate chain, the receipt key, the consent key.

Whose consent counts is another question: see ``consent/trust.py``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.files import write_atomically
from clearspot.project import Project, Signing
from clearspot.signing import key_id

SIGNING_KEY, SIGNING_CHAIN = "c2pa.key.pem", "c2pa.chain.pem"
RECEIPT_KEY, CONSENT_KEY, CONSENT_PUBLIC = "receipt.key.pem", "consent.key.pem", "consent.pub.pem"
PRIVATE_MODE = 0o600
OWN_KEY = Signing()
WARN_DAYS = 30
"""So long before the certificate ends people are told, with every export."""

DEVELOPMENT_DAYS = 3650
"""Without a trusted time-stamp, a file stops verifying when its signer's certificate ends: so not soon."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom this project believes: certificate authorities (PEM), and by their ids the keys of receipts and logs."""

    anchors_pem: str
    receipt_keys: Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What signs deliverables (PEM chain and key for C2PA), and receipts and the audit log (Ed25519). Never printed.

    Where there is a ``command``, it signs deliverables, and ``key_pem`` is empty. ``tsa_url`` is where time stamps come
    from, empty for none; ``chain_path`` is where the chain lies.
    """

    chain_pem: str
    key_pem: str
    receipt_key: Ed25519PrivateKey
    command: tuple[str, ...] = ()
    timeout_s: float = 30.0
    tsa_url: str = ""
    chain_path: str = ""

    def __repr__(self) -> str:
        return "SigningKeys(...)"

    @property
    def certificate(self) -> x509.Certificate:
        return self.certificates[0]

    @property
    def certificates(self) -> list[x509.Certificate]:
        """The signer's certificate, then those between it and the anchor."""
        return x509.load_pem_x509_certificates(self.chain_pem.encode())

    @property
    def ends(self) -> dt.datetime:
        """When the first certificate of the chain ends, and nothing is signed any more."""
        return min(certificate.not_valid_after_utc for certificate in self.certificates)

    @property
    def renewal(self) -> str:
        """What to do before they end."""
        return "Put a new certificate into signing.chain." if self.command else "clearspot keys init --renew"

    def days_left(self, now: dt.datetime) -> int:
        """Whole days until they end; below ``WARN_DAYS`` somebody should be told."""
        return (self.ends - now).days


def load_trust(folders: tuple[Path, ...]) -> Trust:
    """Trust anchors from folders: ``c2pa-*.pem`` certificates and ``receipt-*.pem`` keys.

    Raises:
        BadInput: A file is not the PEM it should be.
    """
    anchors: list[str] = []
    receipt_keys: dict[str, Ed25519PublicKey] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.pem"))):
        kind = path.name.split("-")[0]
        try:
            if kind == "c2pa":
                x509.load_pem_x509_certificates(path.read_bytes())
                anchors.append(path.read_text(encoding="ascii"))
            elif kind == "receipt":
                public = _public_key(path.read_bytes())
                receipt_keys[key_id(public)] = public
        except (ValueError, OSError) as error:
            raise BadInput(f"is not a trust anchor: {error}.", where=str(path)) from error
    return Trust("\n".join(anchors), receipt_keys)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """A public key from a PEM file.

    Raises:
        BadInput: It is none.
    """
    try:
        return _public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput("is not an Ed25519 public key in PEM.", where=str(path)) from error


def signing_keys_of(project: Project, now: dt.datetime) -> SigningKeys:
    """The keys that sign exports, as a project's settings name them.

    Raises:
        BadInput, Refused: As ``read_signing_keys`` and ``require_valid``.
    """
    keys = read_signing_keys(project)
    require_valid(keys, now)
    return keys


def read_signing_keys(project: Project) -> SigningKeys:
    """The same, whether or not their certificates are valid.

    Raises:
        BadInput: There are none yet, or they are not what they should be.
        Refused: Others may read them.
    """
    signing = project.settings.signing
    if signing.chain:
        signing = signing.model_copy(update={"chain": str(project.root / Path(signing.chain).expanduser())})
    return _read_keys(project.keys_dir, signing)


def load_signing_keys(folder: Path, now: dt.datetime, signing: Signing = OWN_KEY) -> SigningKeys:
    """The keys that sign exports.

    Args:
        folder: Where the project's private keys lie.
        now: The certificates must be valid then.
        signing: The project's settings: its own key, or a command and the chain of its certificate.

    Raises:
        BadInput: There are none yet, or they are not what they should be.
        Refused: Others may read them, or a certificate is not valid now.
    """
    keys = _read_keys(folder, signing)
    require_valid(keys, now)
    return keys


def _read_keys(folder: Path, signing: Signing) -> SigningKeys:
    try:
        receipt = serialization.load_pem_private_key(_private(folder / RECEIPT_KEY), password=None)
        if not isinstance(receipt, Ed25519PrivateKey):
            raise BadInput("is not an Ed25519 key.", where=str(folder / RECEIPT_KEY))
        if signing.command:
            keys = SigningKeys(_read_chain(Path(signing.chain)), "", receipt)
        else:
            keys = _own_keys(folder, receipt)
    except FileNotFoundError as error:
        raise BadInput("there are no signing keys yet.", where=str(folder), remedy="clearspot keys init") from error
    except (ValueError, TypeError, OSError) as error:
        raise BadInput("these signing keys cannot be read.", where=str(folder)) from error
    return replace(
        keys,
        command=signing.command,
        timeout_s=signing.timeout_s,
        tsa_url=signing.tsa_url,
        chain_path=signing.chain or str(folder / SIGNING_CHAIN),
    )


def _own_keys(folder: Path, receipt: Ed25519PrivateKey) -> SigningKeys:
    chain_pem = (folder / SIGNING_CHAIN).read_text(encoding="ascii")
    key_pem = _private(folder / SIGNING_KEY)
    leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
    signing = serialization.load_pem_private_key(key_pem, password=None)
    if signing.public_key() != leaf.public_key():
        raise BadInput(
            "the signing key is not that of the certificate.",
            where=str(folder / SIGNING_KEY),
            remedy="clearspot keys init --renew",
        )
    return SigningKeys(chain_pem, key_pem.decode("ascii"), receipt)


def _read_chain(path: Path) -> str:
    """The chain of a key that lies elsewhere: its own certificate first."""
    where = f"configs/clearspot.yaml: signing.chain: {path}"
    try:
        chain_pem = path.read_text(encoding="ascii")
        leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
    except (OSError, ValueError) as error:
        raise BadInput("is not a file of certificates in PEM.", where=where) from error
    public = leaf.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise BadInput(
            "its first certificate is not of a P-256 key; manifests are signed with ES256.",
            where=where,
            remedy="Put the signer's own certificate first; its key must be of the curve P-256.",
        )
    return chain_pem


def require_valid(keys: SigningKeys, now: dt.datetime) -> None:
    """That every certificate of the chain is valid.

    Raises:
        Refused: One is not.
    """
    for certificate in keys.certificates:
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise Refused(
                f"the signing certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d} to "
                f"{certificate.not_valid_after_utc:%Y-%m-%d}, not now.",
                where=keys.chain_path,
                remedy=keys.renewal,
            )


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """A private key that signs consent, receipts or the audit log.

    Raises:
        BadInput: It is missing or not an Ed25519 key.
        Refused: Others may read it.
    """
    try:
        key = serialization.load_pem_private_key(_private(path), password=None)
    except FileNotFoundError as error:
        raise BadInput("there is no such key.", where=str(path), remedy="clearspot keys init makes one.") from error
    except (OSError, ValueError, TypeError) as error:  # TypeError: it wants a password
        raise BadInput("is not a private key that can be read.", where=str(path)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput("is not an Ed25519 key.", where=str(path))
    return key


def create_keys(
    keys_dir: Path,
    trust_dir: Path,
    provider: str,
    now: dt.datetime,
    *,
    renew: bool,
    signing: Signing = OWN_KEY,
) -> bool:
    """Make what is missing of: a development certificate chain (unless a command signs), a receipt key, a consent key.

    Public halves go to ``trust_dir``; that of the consent key stays beside it, since whose consent counts for which
    voice is decided by ``clearspot keys trust``. The authority's own private keys are never written down: renewing
    makes a new authority, and the old anchors stay, so that what was signed before still verifies. A consent key is
    somebody's identity and is never renewed here.

    Returns:
        False where everything was there already.

    Raises:
        MachineFault: The folders cannot be written to.
    """
    there = {path.name for path in keys_dir.glob("*.pem")}
    try:
        keys_dir.mkdir(parents=True, exist_ok=True)
        keys_dir.chmod(0o700)
        (keys_dir.parent / ".gitignore").write_text("*\n", encoding="ascii")  # so that nobody commits a key
    except OSError as error:
        raise MachineFault(f"cannot be written: {error.strerror}.", where=str(keys_dir)) from error
    made = False
    if not signing.command and (renew or not {SIGNING_KEY, SIGNING_CHAIN} <= there):
        leaf_key, chain, root = _development_chain(provider, now)
        write_atomically(trust_dir / f"c2pa-development-{root.fingerprint(hashes.SHA256()).hex()[:16]}.pem", _pem(root))
        write_atomically(keys_dir / SIGNING_CHAIN, b"".join(_pem(certificate) for certificate in chain))
        write_atomically(keys_dir / SIGNING_KEY, _private_pem(leaf_key), mode=PRIVATE_MODE)
        made = True
    for name, public_path in ((RECEIPT_KEY, None), (CONSENT_KEY, keys_dir / CONSENT_PUBLIC)):
        if name in there and not (renew and name == RECEIPT_KEY):
            continue
        key = Ed25519PrivateKey.generate()
        public = key.public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        write_atomically(public_path or trust_dir / f"receipt-{key_id(public)}.pem", pem)
        write_atomically(keys_dir / name, _private_pem(key), mode=PRIVATE_MODE)
        made = True
    return made


def _public_key(pem: bytes) -> Ed25519PublicKey:
    public = serialization.load_pem_public_key(pem)
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004  (the caller tells it with the file's name)
    return public


def _private(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise Refused("this private key can be read by others.", where=str(path), remedy=f"chmod 600 {path}")
    return path.read_bytes()


def _private_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _development_chain(
    provider: str, now: dt.datetime
) -> tuple[ec.EllipticCurvePrivateKey, list[x509.Certificate], x509.Certificate]:
    """Leaf key, [leaf, intermediate], root: the form C2PA asks for (leaf with EKU emailProtection)."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    names = [
        x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, provider[:64]),
                x509.NameAttribute(NameOID.COMMON_NAME, title),
            ]
        )
        for title in (
            "Clearspot development root",
            "Clearspot development CA",
            "Clearspot development signer",
        )
    ]
    made: list[x509.Certificate] = []
    for level in range(3):
        issuer = max(level - 1, 0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[level])
            .issuer_name(names[issuer])
            .public_key(keys[level].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=DEVELOPMENT_DAYS))
            .add_extension(x509.BasicConstraints(ca=level < 2, path_length=None), critical=True)
            .add_extension(_key_usage(ca=level < 2), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[level].public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[issuer].public_key()),
                critical=False,
            )
        )
        if level == 2:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(usage, critical=False)
        made.append(builder.sign(keys[issuer], hashes.SHA256()))
    return keys[2], [made[2], made[1]], made[0]


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
