"""The containers as far as they can be held to something without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.server import ThreadedMotoServer

from clearspot.job import open_store
from clearspot.pieces import STOP_S
from clearspot.project import Project, Settings
from clearspot.yamlfile import load_model
from tests.conftest import CHECKOUT
from tests.unit.store_scenes import an_action, keep_text, read_back, said

DEPLOY = CHECKOUT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
HERE = Path(sys.executable).parent


def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"])


def ran(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_the_dockerfile_has_nothing_that_a_linter_minds() -> None:
    done = ran(HERE / "hadolint", "--no-color", DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_dockerfile_that_is_wrong_is_told(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp\n")
    assert ran(HERE / "hadolint", tmp_path / "Dockerfile").returncode == 1


def test_the_compose_file_is_one(tmp_path: Path) -> None:
    check = (HERE / "check-jsonschema", "--builtin-schema", "vendor.compose-spec")
    assert ran(*check, COMPOSE).returncode == 0
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "healthchecks:", 1))
    assert ran(*check, wrong).returncode == 1


def test_every_image_is_pinned_and_every_service_that_stays_is_asked_whether_it_is_well() -> None:
    for name, service in services().items():
        assert re.fullmatch(r"\S+:.*\d\S*", service["image"]), name
        assert "latest" not in service["image"]
    asked = {name for name, service in services().items() if "test" in service.get("healthcheck", {})}
    assert asked == {"database", "prefect", "store", "scheduler", "worker"}, "`serve` ends, `bucket` is no service"
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE), "not root, and by number"


def test_who_is_asked_at_a_port_listens_there() -> None:
    for service in services().values():
        command, test = service.get("command", []), service.get("healthcheck", {}).get("test", [])
        if "port-answers" in test:
            assert any(word == test[-1] or word.endswith(f":{test[-1]}") for word in command)


def test_what_is_told_to_stop_is_given_the_time_for_it() -> None:
    for name in ("worker", "serve"):
        assert int(services()[name]["stop_grace_period"].removesuffix("s")) > STOP_S
        assert services()[name]["init"] is True


def test_the_bucket_is_made_and_the_settings_find_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command and the environment of the compose file, on a real S3-compatible server of this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        given = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        assert {"AWS_ENDPOINT_URL_S3", "AWS_REGION"} < services()["bucket"]["environment"].keys()
        given["AWS_ENDPOINT_URL_S3"] = f"http://{host}:{port}"
        command = services()["bucket"]["command"]
        for _ in range(2):  # it is run again whenever everything is
            assert ran(sys.executable, *command[1:], **given).returncode == 0
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        settings = load_model(Settings, DEPLOY / "clearspot.yaml")
        store = open_store(replace(project, settings=settings))
        keep_text(store, "found again")
        assert read_back(store, an_action("found again").key) == said("found again").encode()
    finally:
        server.stop()


def test_no_secret_is_in_the_files_and_dask_has_no_door() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY", variable):
                assert variable.endswith("_FILE"), name
                assert str(value).startswith("/run/secrets/"), name
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"prefect": ["127.0.0.1:4200:4200"]}
    assert (DEPLOY / "secrets" / ".gitignore").read_text() == "*\n!.gitignore\n"


def test_what_is_copied_is_there_and_not_kept_from_the_build() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    allowed = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in " ".join(copied).split():
        assert (CHECKOUT / name).exists(), name
        assert name in allowed, name


def test_the_settings_beside_it_are_settings() -> None:
    made = load_model(Settings, DEPLOY / "clearspot.yaml")
    (scheduler,) = [word for word in services()["worker"]["command"] if word.startswith("tcp://")]
    assert (made.machines.runner, made.machines.address) == ("dask", scheduler)
    assert made.models_dir == "/models"


def test_secrets_come_from_files_and_are_not_said(tmp_path: Path) -> None:
    secret = tmp_path / "store_password"
    secret.write_text("pass word'$(id)\n")
    show = "import os; print(os.environ['KEY'], 'KEY_FILE' in os.environ, 'SSL_CERT' in os.environ)"
    given = {"SECRETS_DIR": str(tmp_path), "KEY_FILE": str(secret), "SSL_CERT_FILE": str(COMPOSE)}
    done = ran(DEPLOY / "bin" / "with-secrets", sys.executable, "-c", show, **given)
    assert (done.stdout, done.stderr) == ("pass word'$(id) False False\n", "")
    missing = given | {"KEY_FILE": str(tmp_path / "none")}
    done = ran(DEPLOY / "bin" / "with-secrets", "echo", "ran", **missing)
    assert (done.returncode != 0, done.stdout) == (True, ""), "without its secret nothing is started"


@pytest.mark.parametrize(("listens", "code"), [(True, 0), (False, 1)])
def test_whether_a_port_answers(listens: bool, code: int) -> None:
    import socket

    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = str(place.getsockname()[1])
        if listens:
            place.listen()
        assert ran(DEPLOY / "bin" / "port-answers", "127.0.0.1", port).returncode == code
