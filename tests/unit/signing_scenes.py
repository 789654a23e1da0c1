"""Keys that lie elsewhere: a certificate authority, a key that only a command reaches, and time-stamp authorities."""

from __future__ import annotations

import datetime as dt
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clearspot.project import Project
from clearspot.yamlfile import dump_yaml

NOW = dt.datetime.now(dt.UTC)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

SCRIPT = """
import base64, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

form, path = sys.argv[1:]
key = serialization.load_pem_private_key(open(path, "rb").read(), password=None)
der = key.sign(sys.stdin.buffer.read(), ec.ECDSA(hashes.SHA256()))
raw = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der))
forms = {"der": der, "raw": raw}
forms |= {"base64 of der": base64.b64encode(der) + b"\\n", "base64 of raw": base64.encodebytes(raw)}
sys.stdout.buffer.write(forms[form])
"""


@dataclass(frozen=True)
class Authority:
    """A root certificate, and the leaf that it signed, in files. The leaf's key lies where only commands look."""

    root: Path
    chain: Path
    key: Path

    @property
    def ends(self) -> dt.datetime:
        """When the leaf ends."""
        return x509.load_pem_x509_certificates(self.chain.read_bytes())[0].not_valid_after_utc

    def command(self, form: str = "der") -> list[str]:
        """A real program that signs with the key."""
        return [sys.executable, "-c", SCRIPT, form, str(self.key)]


def certificate(
    name: str,
    key: PrivateKey,
    issuer: tuple[x509.Name, PrivateKey] | None,
    until: dt.datetime,
    usage: x509.ObjectIdentifier,
) -> x509.Certificate:
    """A certificate of what it is for; without an issuer a root."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Elsewhere"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    issued_by, signed_with = issuer or (subject, key)
    ca = issuer is None
    usages = {
        "content_commitment": False, "key_encipherment": False, "data_encipherment": False, "key_agreement": False,
        "encipher_only": False, "decipher_only": False,
    }  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=400))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **usages), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_with.public_key()), critical=False)
    )
    if not ca:
        only_stamps = usage == ExtendedKeyUsageOID.TIME_STAMPING
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=only_stamps)
    return builder.sign(signed_with, hashes.SHA256())


def pem_of(item: x509.Certificate | PrivateKey) -> bytes:
    if isinstance(item, x509.Certificate):
        return item.public_bytes(serialization.Encoding.PEM)
    return item.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def authority(
    folder: Path,
    *,
    until: dt.datetime = NOW + dt.timedelta(days=365),
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
    key: PrivateKey | None = None,
) -> Authority:
    """A root and a leaf for signing manifests, or for time stamps."""
    folder.mkdir(parents=True)
    leaf_key, root_key = key or ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certificate("Elsewhere root", root_key, None, NOW + dt.timedelta(days=3650), usage)
    leaf = certificate("Elsewhere", leaf_key, (root.subject, root_key), until, usage)
    made = Authority(folder / "root.pem", folder / "chain.pem", folder / "token.pem")
    made.root.write_bytes(pem_of(root))
    made.chain.write_bytes(pem_of(leaf))
    made.key.write_bytes(pem_of(leaf_key))
    return made


def trust_root(project: Project, made: Authority, name: str = "elsewhere") -> None:
    folder = project.root / "configs" / "trust"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"c2pa-{name}.pem").write_bytes(made.root.read_bytes())


def settle(project: Project, **signing: object) -> None:
    """The project's own settings, with this in ``signing``."""
    path = project.root / "configs" / "clearspot.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(dump_yaml({"signing": signing}), encoding="utf-8")


class Stamper:
    """A time-stamp authority (RFC 3161): ``openssl ts`` makes the answers."""

    CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {0}/serial
signer_cert = {0}/chain.pem
certs = {0}/root.pem
signer_key = {0}/token.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""

    def __init__(self, made: Authority) -> None:
        self.folder = made.key.parent
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ts.cnf").write_text(self.CONFIG.format(self.folder))
        self._turn = threading.Lock()

    def __call__(self, query: bytes) -> bytes:
        with self._turn:
            (self.folder / "query").write_bytes(query)
            done = subprocess.run(
                ["openssl", "ts", "-reply", "-config", self.folder / "ts.cnf", "-queryfile", self.folder / "query"],
                capture_output=True,
                check=True,
            )
        return done.stdout


@contextmanager
def answering(answer: object) -> Iterator[str]:
    """A server on this machine that answers every query: with a status, bytes, or what a function makes of it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            body = answer(query) if callable(answer) else answer if isinstance(answer, bytes) else b""
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
