"""Who signs manifests: keys on disk, keys that only a command reaches, certificates that end, and trusted time."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.project import Project, Signing, find_project
from clearspot.provenance import manifest
from clearspot.provenance.keys import DEVELOPMENT_DAYS, create_keys, load_trust, signing_keys_of
from clearspot.provenance.manifest import Claim
from clearspot.provenance.nature import Nature
from clearspot.provenance.signers import signed_by_command
from clearspot.yamlfile import parse_model
from tests.conftest import Scene
from tests.unit.signing_scenes import NOW, Authority, Stamper, answering, authority, settle, trust_root
from tests.unit.test_sidecars import STEM, read_directly, run

Call = Callable[..., tuple[int, str, str]]
WORDS = "1\n00:00:00,000 --> 00:00:01,000\nHola.\n"


@pytest.fixture
def elsewhere(project: Project, tmp_path: Path) -> Authority:
    """A key that is not the project's, whose root the project trusts."""
    made = authority(tmp_path / "elsewhere")
    trust_root(project, made)
    return made


def sign(folder: Path) -> manifest.ManifestFacts:
    """Sign a few words as the project's settings say, and read them back."""
    project = find_project()
    words, target = folder / "words.srt", folder / "signed.srt"
    words.write_text(WORDS, encoding="utf-8")
    claim = Claim("T", "en-US", "es-ES", "P", "Clearspot", "0", {}, Nature("synthetic", bed=False), watermark="")
    trust = load_trust(project.trust_dirs)
    manifest.sign(words, target, claim, words, signing_keys_of(project, NOW), trust)
    assert read_directly(target, trust)[0] == "Trusted"
    return manifest.read(target, trust)


def refused(folder: Path, kind: type[ClearspotError]) -> ClearspotError:
    """Why it is not signed; then nothing is left."""
    with pytest.raises(kind) as caught:
        sign(folder)
    assert not list(folder.glob("signed*"))
    return caught.value


# --- a command ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["der", "raw", "base64 of der", "base64 of raw"])
def test_a_command_signs_in_any_usual_form(project: Project, elsewhere: Authority, tmp_path: Path, form: str) -> None:
    settle(project, command=elsewhere.command(form), chain=str(elsewhere.chain))
    facts = sign(tmp_path)
    assert (facts.state, facts.signer) == ("Trusted", "Elsewhere")


def test_openssl_signs_as_the_how_to_says(project: Project, elsewhere: Authority, tmp_path: Path) -> None:
    settle(project, command=["openssl", "dgst", "-sha256", "-sign", str(elsewhere.key)], chain=str(elsewhere.chain))
    assert sign(tmp_path).signer == "Elsewhere"


def test_a_chain_is_found_from_the_projects_folder(project: Project, elsewhere: Authority, tmp_path: Path) -> None:
    shutil.copyfile(elsewhere.chain, project.root / "chain.pem")
    settle(project, command=elsewhere.command(), chain="chain.pem")
    assert sign(tmp_path).signer == "Elsewhere"


def test_every_one_of_many_signatures_is_two_numbers_of_32_bytes(project: Project, elsewhere: Authority) -> None:
    """Now and then a number is short: DER leaves its zeros out, ES256 wants them."""
    settle(project, command=["openssl", "dgst", "-sha256", "-sign", str(elsewhere.key)], chain=str(elsewhere.chain))
    keys = signing_keys_of(find_project(), NOW)
    assert {len(signed_by_command(bytes([number]), keys)) for number in range(150)} == {64}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


EAT = "import sys; sys.stdin.buffer.read(); "
PIN = "pin-of-token-4711"
WRONG: dict[str, tuple[list[str], str]] = {
    "no program": (["no-such-program-here"], "the signing command 'no-such-program-here' cannot be run: No such file"),
    "not a program": (["/etc/passwd"], "cannot be run: Permission denied"),
    "it fails": (python(EAT + "sys.exit('the token is not plugged in')"), "ended with 1: the token is not plugged in."),
    "it fails without a word": (python(EAT + "sys.exit(7)"), "ended with 7."),
    "it does not read": (python("import sys; sys.exit(3)"), "ended with 3."),
    "it is killed": (python(EAT + "import os; os.kill(os.getpid(), 9)"), "ended with -9."),
    "nothing": (python(EAT), "gave 0 bytes that are no ES256 signature by the certificate's key"),
    "words": (python(EAT + "print('signed')"), "gave 7 bytes that are no ES256 signature"),
    "64 zeros": (python(EAT + "sys.stdout.buffer.write(bytes(64))"), "gave 64 bytes that are no ES256 signature"),
    "a megabyte": (python(EAT + "sys.stdout.buffer.write(bytes(10**6))"), "gave 1000000 bytes that are no ES256"),
    "DER of huge numbers": (
        python(EAT + "sys.stdout.buffer.write(bytes.fromhex('30820106' + '02820100' + '7f' * 256 + '020101'))"),
        "are no ES256 signature",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_command_that_does_not_sign_is_told(
    project: Project, elsewhere: Authority, tmp_path: Path, what: str
) -> None:
    command, told = WRONG[what]
    settle(project, command=command, chain=str(elsewhere.chain))
    error = refused(tmp_path, MachineFault)
    assert told in error.what
    assert error.where == "configs/clearspot.yaml: signing.command"
    assert error.remedy


def test_another_keys_signature_is_no_signature(project: Project, elsewhere: Authority, tmp_path: Path) -> None:
    other = authority(tmp_path / "other")
    settle(project, command=other.command(), chain=str(elsewhere.chain))
    assert "no ES256 signature by the certificate's key" in refused(tmp_path, MachineFault).what


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    project: Project, elsewhere: Authority, tmp_path: Path
) -> None:
    """A child of its own holds its output open; nobody waits for that one either."""
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_LINGER!r}, {str(tmp_path / 'alive')!r}])"
    settle(project, command=python(code), chain=str(elsewhere.chain), timeout_s=2)
    began = time.monotonic()
    assert "did not answer in 2 s" in refused(tmp_path, MachineFault).what
    assert time.monotonic() - began < 10
    assert (tmp_path / "alive").exists(), "it ran"
    seen = (tmp_path / "alive").read_text()
    time.sleep(0.5)
    assert (tmp_path / "alive").read_text() == seen, "it runs no more"


_LINGER = """
import sys, time
for number in range(600):
    open(sys.argv[1], "w").write(str(number))
    time.sleep(0.1)
"""


@pytest.mark.parametrize(
    "says",
    [
        f"login with {PIN} failed",
        "-----BEGIN PRIVATE KEY-----",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
        "token: abc",
        "PASSWORD=abc",
    ],
)
def test_secrets_of_a_command_are_never_told(
    project: Project, elsewhere: Authority, tmp_path: Path, capfd: pytest.CaptureFixture[str], says: str
) -> None:
    settle(project, command=[*python("import sys; sys.exit(sys.argv[1])"), says, PIN], chain=str(elsewhere.chain))
    error = refused(tmp_path, MachineFault)
    printed = capfd.readouterr()
    keys = signing_keys_of(find_project(), NOW)
    for shown in (str(error), repr(error.as_json()), printed.out, printed.err, repr(keys)):
        assert PIN not in shown
        assert says not in shown


BAD: dict[str, tuple[dict[str, object], str]] = {
    "a command without its chain": ({"command": ["x"]}, "chain: is missing; command and chain go together"),
    "a chain without a command": ({"chain": "x.pem"}, "command: is missing; command and chain go together"),
    "a command in one string": ({"command": "openssl dgst", "chain": "x"}, "signing.command"),
    "an empty word": ({"command": [""], "chain": "x"}, "signing.command"),
    "no time": ({"command": ["x"], "chain": "x", "timeout_s": 0}, "signing.timeout_s"),
    "another address": ({"tsa_url": "ftp://tsa.example"}, "signing.tsa_url"),
    "half an address": ({"tsa_url": "https://"}, "signing.tsa_url"),
    "an unknown field": ({"pin": "1234"}, "signing.pin"),
}


@pytest.mark.parametrize("what", BAD)
def test_settings_that_cannot_be_meant_are_bad_input(project: Project, what: str) -> None:
    given, told = BAD[what]
    settle(project, **given)
    with pytest.raises(BadInput) as caught:
        find_project()
    assert told in str(caught.value)


def test_the_shipped_settings_sign_with_the_projects_own_key() -> None:
    assert parse_model(Signing, {}, Path("x")) == Signing(command=(), chain="", timeout_s=30, tsa_url="")


def rsa_chain(folder: Path) -> Path:
    return authority(folder / "rsa", key=rsa.generate_private_key(65537, 2048)).chain


def other_curve(folder: Path) -> Path:
    return authority(folder / "p384", key=ec.generate_private_key(ec.SECP384R1())).chain


def text(folder: Path) -> Path:
    path = folder / "text.pem"
    path.write_text("no certificate")
    return path


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        (rsa_chain, "not of a P-256 key"),
        (other_curve, "not of a P-256 key"),
        (text, "is not a file of certificates in PEM"),
        (lambda folder: folder / "missing.pem", "is not a file of certificates in PEM"),
        (lambda folder: folder, "is not a file of certificates in PEM"),
    ],
    ids=["RSA", "P-384", "text", "missing", "a folder"],
)
def test_a_chain_that_cannot_be_used_is_bad_input(
    project: Project, elsewhere: Authority, tmp_path: Path, chain: Callable[[Path], Path], told: str
) -> None:
    path = chain(tmp_path)
    settle(project, command=elsewhere.command(), chain=str(path))
    error = refused(tmp_path, BadInput)
    assert told in error.what
    assert error.where == f"configs/clearspot.yaml: signing.chain: {path}"


def test_with_a_command_no_key_for_manifests_is_made(project: Project, elsewhere: Authority, clearspot: Call) -> None:
    shutil.rmtree(project.root / ".clearspot" / "keys")
    settle(project, command=elsewhere.command(), chain=str(elsewhere.chain))
    assert clearspot("keys", "init")[0] == 0
    assert sorted(path.name for path in project.keys_dir.iterdir()) == [
        "consent.key.pem", "consent.pub.pem", "receipt.key.pem",
    ]  # fmt: skip
    code, told, _ = clearspot("keys", "show")
    assert code == 0
    assert f"signed by:    the command {sys.executable}" in told
    assert "token.pem" not in told


# --- a run -------------------------------------------------------------------------------------------------------


def test_a_run_is_signed_by_the_command(scene: Scene, elsewhere: Authority, clearspot: Call) -> None:
    settle(scene.project, command=elsewhere.command(), chain=str(elsewhere.chain))
    assert run(clearspot, scene) == 0
    receipt = json.loads((scene.out / "lumen-coffee/es-ES" / f"{STEM}.receipt.json").read_text())["receipt"]
    ends = elsewhere.ends.isoformat()
    assert receipt["provenance"] == {
        "manifest": "Trusted", "signer": "Elsewhere", "signed_at": "", "trusted_time": False, "certificate_ends": ends,
    }  # fmt: skip


def test_a_signer_out_of_reach_stops_a_run_before_anybody_speaks(
    scene: Scene, elsewhere: Authority, clearspot: Call
) -> None:
    settle(scene.project, command=python("import sys; sys.exit('no token')"), chain=str(elsewhere.chain))
    assert run(clearspot, scene) == 3
    assert (scene.studio.voice.asked, scene.listener.heard, scene.files()) == ([], 0, [])


def test_a_signer_nobody_trusts_stops_a_run_before_anybody_speaks(
    scene: Scene, tmp_path: Path, clearspot: Call
) -> None:
    unknown = authority(tmp_path / "unknown")
    settle(scene.project, command=unknown.command(), chain=str(unknown.chain))
    assert run(clearspot, scene) == 1
    assert (scene.studio.voice.asked, scene.files()) == ([], [])


# --- certificates that end ---------------------------------------------------------------------------------------


def ending_in(project: Project, days: float) -> None:
    """Development keys that end so many days from now."""
    made = dt.datetime.now(dt.UTC) - dt.timedelta(days=DEVELOPMENT_DAYS - days, minutes=-5)
    create_keys(project.keys_dir, project.own_trust_dir, "Test", made, renew=True)


@pytest.mark.parametrize(("days", "soon"), [(31, False), (29, True), (1, True), (0, True)])
def test_a_certificate_that_ends_soon_is_told_wherever_people_look(
    project: Project, clearspot: Call, days: int, soon: bool
) -> None:
    ending_in(project, days)
    _, told, _ = clearspot("keys", "show")
    assert (f"(in {days} days: clearspot keys init --renew)" in told) == soon
    _, told, _ = clearspot("doctor")
    (line,) = [line for line in told.splitlines() if line[9:].startswith("keys ")]
    assert line.startswith("SOON" if soon else "ok")
    assert line.endswith("->  clearspot keys init --renew") == soon


def test_a_certificate_that_ends_soon_is_a_warning_in_the_receipt(scene: Scene, clearspot: Call) -> None:
    ending_in(scene.project, 7)
    assert run(clearspot, scene) == 0
    receipt = json.loads((scene.out / "lumen-coffee/es-ES" / f"{STEM}.receipt.json").read_text())["receipt"]
    (found,) = [each for each in receipt["findings"] if each["rule"] == "certificate-lasts"]
    assert (found["verdict"], found["detail"]) == ("warn", "it ends soon: clearspot keys init --renew")
    assert found["measured"].startswith("7 days, until ")
    assert "certificate lasts" in (scene.out / "lumen-coffee" / "report.html").read_text()


def test_an_expired_certificate_stops_a_run_before_anybody_speaks(scene: Scene, clearspot: Call) -> None:
    ending_in(scene.project, -1)
    code, _, told = clearspot("run", scene.spot, "--runner", "inline", "--out", scene.out)
    assert code == 1
    assert "not now" in told
    assert "clearspot keys init --renew" in told
    assert (scene.studio.voice.asked, scene.listener.heard, scene.files()) == ([], 0, [])


def test_an_expired_chain_of_a_command_says_what_to_replace(project: Project, tmp_path: Path) -> None:
    old = authority(tmp_path / "old", until=NOW - dt.timedelta(days=1))
    settle(project, command=old.command(), chain=str(old.chain))
    error = refused(tmp_path, Refused)
    assert (error.where, error.remedy) == (str(old.chain), "Put a new certificate into signing.chain.")


# --- trusted time ------------------------------------------------------------------------------------------------


@pytest.fixture
def stamps(tmp_path: Path) -> Authority:
    return authority(tmp_path / "stamps", usage=ExtendedKeyUsageOID.TIME_STAMPING)


@pytest.mark.parametrize("by_command", [False, True])
def test_a_trusted_stamp_says_when_it_was_signed(
    project: Project, elsewhere: Authority, stamps: Authority, tmp_path: Path, by_command: bool
) -> None:
    trust_root(project, stamps, "stamps")
    command = {"command": elsewhere.command(), "chain": str(elsewhere.chain)} if by_command else {}
    with answering(Stamper(stamps)) as url:
        settle(project, tsa_url=url, **command)
        facts = sign(tmp_path)
    assert facts.trusted_time
    signed_at = dt.datetime.fromisoformat(facts.signed_at)
    assert abs(signed_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=2)


def test_a_stamp_nobody_trusts_is_none(project: Project, stamps: Authority, tmp_path: Path) -> None:
    with answering(Stamper(stamps)) as url:
        settle(project, tsa_url=url)
        error = refused(tmp_path, Refused)
    assert "is not one this project trusts" in error.what
    assert error.where == "configs/clearspot.yaml: signing.tsa_url"


def test_whoever_does_not_trust_the_authority_reads_no_trusted_time(
    project: Project, stamps: Authority, tmp_path: Path
) -> None:
    trust_root(project, stamps, "stamps")
    with answering(Stamper(stamps)) as url:
        settle(project, tsa_url=url)
        assert sign(tmp_path).trusted_time
    own_alone = load_trust((project.own_trust_dir,))
    facts = manifest.read(tmp_path / "signed.srt", own_alone)
    assert (facts.state, facts.trusted_time) == ("Trusted", False)
    assert facts.signed_at, "it says a time, which proves nothing"


NO_STAMP = {
    "refused": 500,
    "not found": 404,
    "words": b"no stamp",
    "nothing": b"",
    "rejected": b"\x30\x05\x30\x03\x02\x01\x02",
}


@pytest.mark.parametrize("what", NO_STAMP)
def test_an_answer_that_is_no_stamp_names_the_field(project: Project, tmp_path: Path, what: str) -> None:
    with answering(NO_STAMP[what]) as url:
        settle(project, tsa_url=url)
        error = refused(tmp_path, MachineFault)
    assert f"the time-stamp authority {url} gave no time stamp" in error.what
    assert error.where == "configs/clearspot.yaml: signing.tsa_url"


def test_a_stamp_over_other_words_is_none(project: Project, stamps: Authority, tmp_path: Path) -> None:
    """An answer that was kept from an earlier query."""
    trust_root(project, stamps, "stamps")
    kept: list[bytes] = []
    stamper = Stamper(stamps)

    def first_again(query: bytes) -> bytes:
        kept.append(stamper(query))
        return kept[0]

    with answering(first_again) as url:
        settle(project, tsa_url=url)
        assert sign(tmp_path).trusted_time
        (tmp_path / "signed.srt").unlink()
        (tmp_path / "signed.srt.c2pa").unlink()
        refused(tmp_path, ClearspotError)


def test_an_authority_out_of_reach_stops_a_run_before_anybody_speaks(scene: Scene, clearspot: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settle(scene.project, tsa_url=f"http://127.0.0.1:{port}/")
    code, _, told = clearspot("run", scene.spot, "--runner", "inline", "--out", scene.out)
    assert code == 3
    assert "signing.tsa_url" in told
    assert (scene.studio.voice.asked, scene.listener.heard, scene.files()) == ([], 0, [])


def test_the_receipt_says_whether_there_is_trusted_time(scene: Scene, stamps: Authority, clearspot: Call) -> None:
    trust_root(scene.project, stamps, "stamps")
    with answering(Stamper(stamps)) as url:
        settle(scene.project, tsa_url=url)
        assert run(clearspot, scene) == 0
    said = json.loads((scene.out / "lumen-coffee/es-ES" / f"{STEM}.receipt.json").read_text())["receipt"]["provenance"]
    assert (said["manifest"], said["trusted_time"]) == ("Trusted", True)
    assert dt.datetime.fromisoformat(said["signed_at"]) <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize("stamped", [True, False])
def test_what_has_trusted_time_outlives_its_signers_certificate(
    project: Project, stamps: Authority, tmp_path: Path, stamped: bool
) -> None:
    made = NOW - dt.timedelta(days=DEVELOPMENT_DAYS)
    lasts = dt.timedelta(seconds=4) + (dt.datetime.now(dt.UTC) - NOW)
    create_keys(project.keys_dir, project.own_trust_dir, "Test", made + lasts, renew=True)
    trust_root(project, stamps, "stamps")
    with answering(Stamper(stamps)) as url:
        settle(project, **({"tsa_url": url} if stamped else {}))
        assert sign(tmp_path).trusted_time == stamped
    trust = load_trust(find_project().trust_dirs)
    while dt.datetime.now(dt.UTC) <= signing_keys_of(find_project(), NOW).ends:
        time.sleep(0.2)
    time.sleep(1.1)
    assert manifest.read(tmp_path / "signed.srt", trust).state == ("Trusted" if stamped else "Invalid")
