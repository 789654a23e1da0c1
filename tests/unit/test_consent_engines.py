"""No engine speaks without a grant, and none comes to a voice's weights by another way than the grant."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, get_type_hints

import pytest

from clearspot.consent.grant import Grant
from clearspot.engines import sessions, vits
from clearspot.engines.registry import engines_of, make_engine
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.project import Project
from tests.conftest import CHECKOUT
from tests.unit.consent_scenes import FILES, SHA_A, Stage, sha_of, talent_voice
from tests.unit.grant_proof import other_ways_in

SHIPPED = {
    name: point.value for name, point in engines_of("speech").items() if point.dist and point.dist.name == "clearspot"
}


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


def engine_class(name: str) -> Any:
    return engines_of("speech")[name].load()


def public_methods(kind: Any) -> dict[str, Any]:
    return {name: method for name, method in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize("name", SHIPPED)
def test_no_engine_can_be_called_without_a_grant(name: str) -> None:
    methods = public_methods(engine_class(name))
    assert {"prepare", "speak"} <= methods.keys()
    for method in methods.values():
        _, first, *_ = inspect.signature(method).parameters.values()
        assert get_type_hints(method)[first.name] is Grant
        assert first.default is inspect.Parameter.empty


def test_whatever_speaks_is_one_of_the_registered_engines() -> None:
    speakers = {
        f"clearspot.engines.{path.stem}:{node.name}"
        for path in sorted((CHECKOUT / "src" / "clearspot" / "engines").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(method, ast.FunctionDef) and method.name == "speak" for method in node.body)
    }
    assert speakers == {*SHIPPED.values(), "clearspot.engines.protocols:SpeechEngine"}


@dataclasses.dataclass
class Watched:
    """A file that knows whether it was read."""

    sha256: str
    was_read: bool = False

    def read(self) -> bytes:
        self.was_read = True
        return b"model"


class Liar:
    """Says that it is a grant."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)

    __class__ = Grant  # type: ignore[assignment]


def look_alike(kind: Any) -> Any:
    def make(watched: Watched) -> Any:
        use = SimpleNamespace(locale="es-ES")
        weights = MappingProxyType({"model": watched, "styles": watched})
        return kind(voice="ana", locale="es-ES", uses=(use,), weights=weights, settings={"mix": {"a": 1.0}})

    return make


NO_GRANTS = {
    "None": lambda _: None,
    "a dict": look_alike(dict),
    "something with the same names": look_alike(SimpleNamespace),
    "something that says it is one": look_alike(Liar),
    "the class": lambda _: Grant,
}


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("make", NO_GRANTS.values(), ids=NO_GRANTS)
@pytest.mark.parametrize("arguments", [("prepare",), ("speak", "Hola.", 1.0)], ids=["prepare", "speak"])
def test_what_is_no_grant_loads_nothing(name: str, make: Any, arguments: tuple[Any, ...]) -> None:
    watched = Watched(SHA_A)
    method, *rest = arguments
    with pytest.raises(TypeError, match="Grant"):
        getattr(engine_class(name)({}), method)(make(watched), *rest)
    assert not watched.was_read


def test_an_engine_loads_the_bytes_that_were_checked(ana: Stage) -> None:
    """A file that was swapped after the check is not opened; the one that was checked reaches the engine."""
    engine, grant = engine_class("kokoro")({}), ana.authorize()
    (ana.folder / "m.onnx").write_bytes(b"other")
    with pytest.raises(Refused, match="is not the file that was named"):
        engine.prepare(grant)
    (ana.folder / "m.onnx").write_bytes(FILES["m.onnx"])
    with pytest.raises(MachineFault, match="Kokoro's model cannot be loaded"):
        engine.prepare(grant)
    assert grant.weights["model"].sha256 == sha_of("m.onnx")


def test_there_is_no_engine_but_the_registered() -> None:
    with pytest.raises(BadInput, match=r"there is no speech engine 'os'; there is: coqui, kokoro, piper, sherpa\."):
        make_engine("speech", "os", "voice.yaml: engine", options={})


# --- the proof: bytes come from the grant alone ------------------------------------------------------------------


COMMON = {"protocols", "registry"}
"""Modules of the engines' room that every engine uses, and that load nothing for it."""


def sources_of(path: Path) -> dict[str, str]:
    """An engine's module and those of its room that it is made of, by name, wherever they are imported."""
    found, waiting = {}, [path]
    while waiting:
        each = waiting.pop()
        found[each.stem] = source = each.read_text(encoding="utf-8")
        named = {
            name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clearspot.engines")
            for name in ((node.module or "").split(".")[2:] or [alias.name for alias in node.names])
        }
        waiting += [each.with_name(f"{name}.py") for name in sorted(named - COMMON - found.keys())]
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_an_engine_opens_nothing_but_what_the_grant_gives(name: str) -> None:
    sources = sources_of(Path(inspect.getfile(engine_class(name))))
    assert {module: problems for module, source in sources.items() if (problems := other_ways_in(source))} == {}


def test_the_proof_reads_all_of_an_engine() -> None:
    parts = {"coqui", "coqui_config", "coqui_models", "coqui_parts", "coqui_tensors", "torch_tensors", "kept"}
    assert sources_of(Path(inspect.getfile(engine_class("coqui")))).keys() == parts
    assert sources_of(Path(inspect.getfile(engine_class("kokoro")))).keys() == {"kokoro", "kept", "sessions"}


def test_one_module_says_that_a_config_names_no_paths() -> None:
    """What ``Pathless`` stands for in the proof: only the module that looks for paths makes one, twice."""
    makers = {
        path.stem: count
        for path in sorted((CHECKOUT / "src").rglob("*.py"))
        if (count := path.read_text(encoding="utf-8").count("Pathless("))
    }
    assert makers == {"coqui_config": 2}


@pytest.mark.parametrize("module", [sessions, vits])
def test_what_engines_share_opens_nothing_else_either(module: ModuleType) -> None:
    assert other_ways_in(inspect.getsource(module)) == []


OTHER_WAYS: dict[str, tuple[str, str]] = {
    "open": ("open('model.onnx', 'rb')", "uses open"),
    "open of a path": ("Path('model.onnx').open('rb')", "uses open"),
    "open by its number": ("os.fdopen(os.open('model.onnx', 0))", "uses open"),
    "open, handed on": ("functools.partial(builtins.open, 'model.onnx')", "uses open"),
    "bytes of a path": ("Path('model.onnx').read_bytes()", "uses read_bytes"),
    "bytes of the grant's path": ("grant.weights['model'].path.read_bytes()", "uses read_bytes"),
    "text of a path": ("Path('styles.json').read_text()", "uses read_text"),
    "numpy, of a path": ("np.load('styles.npz')", "gives load something else than bytes of the grant"),
    "numpy, of the grant's path": ("np.load(grant.weights['styles'].path)", "gives load something else"),
    "numpy, of unknown bytes": ("def f(styles):\n    np.load(io.BytesIO(styles))", "gives load something else"),
    "numpy, mapped": ("np.memmap('styles.bin')", "uses memmap"),
    "numpy, raw": ("np.fromfile('styles.bin')", "uses fromfile"),
    "a session of a path": ("onnxruntime.InferenceSession('m.onnx')", "gives InferenceSession something else"),
    "a session of the grant's path": (
        "InferenceSession(str(grant.weights['model'].path))",
        "gives InferenceSession something else",
    ),
    "a kind of session, of a path": (
        "class Session(InferenceSession): ...\nSession('m.onnx')",
        "gives Session something else than bytes of the grant",
    ),
    "a session that somebody else makes": ("make_session()('m.onnx')", "gives a loader something else"),
    "a session of no bytes": ("def f(model: str):\n    InferenceSession(model)", "gives InferenceSession something"),
    "bytes that were exchanged": (
        "def f(model: bytes):\n    model = CACHE['other']\n    InferenceSession(model)",
        "gives InferenceSession something else",
    ),
    "a package's own loader": ("from kokoro_onnx import Kokoro\nKokoro('m.onnx', 'v.bin')", "gives Kokoro something"),
    "a package's loader by its class": (
        "from kokoro import KPipeline\nKPipeline.from_checkpoint('m.pt')",
        "lets KPipeline.from_checkpoint look for itself",
    ),
    "a model hub": ("import huggingface_hub", "imports huggingface_hub"),
    "a file of a model hub": ("from huggingface_hub import hf_hub_download", "imports huggingface_hub"),
    "whatever was trained before": ("Model.from_pretrained('hexgrad/Kokoro-82M')", "uses from_pretrained"),
    "requests": ("import requests", "imports requests"),
    "urllib": ("from urllib.request import urlopen", "imports urllib.request.urlopen"),
    "httpx": ("import httpx", "imports httpx"),
    "another process": ("import subprocess", "imports subprocess"),
    "the resolver": ("from clearspot.engines.weights import Weights", "imports clearspot.engines.weights"),
    "the resolver, imported late": (
        "def f():\n    from clearspot.engines import weights",
        "imports clearspot.engines.weights",
    ),
    "what fetches": ("self.weights.resolve('kokoro-82m', commercial=False)", "uses resolve"),
    "what fetches, by hand": ("weights.fetch('kokoro-82m')", "uses fetch"),
    "a pinned file of its own": ("PinnedFile(Path('m.onnx'), 'a' * 64).read()", "uses PinnedFile"),
    "a file from elsewhere": ("def f(self):\n    return self.file.read()", "reads what the grant does not give"),
    "another's grant": ("def f(other):\n    other.weights['model'].read()", "reads what the grant does not give"),
    "a package's loader, by the package": (
        "import piper\npiper.PiperVoice.load('m.onnx')",
        "gives load something else",
    ),
    "a package's class, by the package": (
        "import kokoro_onnx\nkokoro_onnx.Kokoro('m.onnx')",
        "lets kokoro_onnx.Kokoro",
    ),
    "a path by its keyword": ("import sherpa_onnx\nsherpa_onnx.Vits(model='m.onnx')", "lets sherpa_onnx.Vits look"),
    "a path by its keyword, imported": ("from x import Vits\nVits(model='m.onnx')", "gives Vits something else"),
    "whatever, by keywords": ("import x\ndef f(given):\n    x.Vits(**given)", "lets x.Vits look for itself"),
    "a folder that somebody else made": (
        "import x\ndef f(name: str):\n    folder = Path(name)\n    x.Vits(model=str(folder / 'm.onnx'))",
        "lets x.Vits look for itself",
    ),
    "a way out of its own folder": (
        "import x\nwith TemporaryDirectory() as name:\n    x.Vits(model=str(Path(name) / '../m.onnx'))",
        "lets x.Vits look for itself",
    ),
    "other bytes in its own folder": (
        "def f(model):\n    with TemporaryDirectory() as name:\n        (Path(name) / 'm').write_bytes(model)",
        "writes something else",
    ),
    "bytes of the grant somewhere else": ("def f(model: bytes):\n    Path('m').write_bytes(model)", "writes something"),
    "a pickle": ("import torch\ndef f(data: bytes):\n    torch.load(io.BytesIO(data))", "lets torch make objects"),
    "a pickle, said so": (
        "import torch\ndef f(data: bytes):\n    torch.load(io.BytesIO(data), weights_only=False)",
        "lets torch make objects",
    ),
    "a pickle, maybe": (
        "import torch\ndef f(data: bytes, sure: bool):\n    torch.load(io.BytesIO(data), weights_only=sure)",
        "lets torch make objects",
    ),
    "a pickle, by options": (
        "import torch\ndef f(data: bytes, **more: bool):\n    torch.load(io.BytesIO(data), weights_only=True, **more)",
        "lets torch make objects",
    ),
    "tensors of a path": ("import torch\ntorch.load('m.pth', weights_only=True)", "gives load something else"),
    "tensors of a path by its name": (
        "import torch\ndef f(path: str):\n    torch.load(path, weights_only=True)",
        "gives load something else",
    ),
    "a program of torch": ("torch.jit.load('m.pt')", "uses jit"),
    "torch's hub": ("torch.hub.load('owner/name')", "uses hub"),
    "a class in a checkpoint": ("torch.serialization.add_safe_globals([Config])", "lets a checkpoint name classes"),
    "a class for a while": ("torch.serialization.safe_globals([Config])", "lets a checkpoint name classes"),
    "classes that were never there": (
        "def f():\n    before = get_safe_globals()\n    before = [Config]\n    add_safe_globals(before)",
        "lets a checkpoint name classes",
    ),
    "Coqui's own loader": ("import TTS.api\nTTS.api.TTS(model_path='m.pth')", "lets TTS.TTS look for itself"),
    "Coqui's own loader, by its name": ("from TTS.api import TTS\nTTS('m.pth')", "gives TTS something else"),
    "a network of another's config": (
        "from TTS.tts.models.vits import Vits\ndef f(config: dict):\n    Vits(config)",
        "gives Vits something else",
    ),
    "a network of a config read elsewhere": (
        "from TTS.tts.models.vits import Vits\nVits(configured(VitsConfig, read_config('c.json')))",
        "gives Vits something else",
    ),
    "a checkpoint by Coqui's loader": ("network.load_checkpoint(config, 'm.pth')", "uses load_checkpoint"),
    "a config by Coqui's loader": ("from TTS.config import load_config\nload_config('c.json')", "uses load_config"),
    "a speaker encoder by Coqui's loader": ("manager.init_encoder('m.pth', 'c.json')", "uses init_encoder"),
    "a recording of a path": ("audio.load_wav('reference.wav')", "gives load_wav something else"),
    "a recording, read": ("import soundfile\nsoundfile.read('reference.wav')", "reads what the grant does not give"),
    "a vocabulary of a path": (
        "from tokenizers import Tokenizer\nTokenizer.from_str(text)",
        "lets Tokenizer.from_str look for itself",
    ),
    "a name made up": ("getattr(os, 'op' + 'en')('m.onnx')", "uses getattr"),
    "a module made up": ("__import__('requests')", "uses __import__"),
}


@pytest.mark.parametrize(("source", "told"), OTHER_WAYS.values(), ids=OTHER_WAYS)
def test_the_proof_finds_another_way_in(source: str, told: str) -> None:
    found = other_ways_in(source)
    assert any(told in problem for problem in found), found


FINE = {
    "read at once": "InferenceSession(grant.weights['model'].read())",
    "read by its name": "def f(grant):\n    model = grant.weights['model']\n    InferenceSession(model.read())",
    "two at once": "def f(grant):\n    a, b = grant.weights['a'], grant.weights['b']\n    np.load(BytesIO(b.read()))",
    "handed on as bytes": "def f(model: bytes):\n    make_session()(model, options)",
    "kept": "def f(grant):\n    data = grant.weights['model'].read()\n    np.load(io.BytesIO(data))",
    "from a session": "from kokoro_onnx import Kokoro\ndef f(session):\n    Kokoro.from_session(session, 'x')",
    "by a folder of its own": (
        "import x\ndef f(model: bytes):\n    with TemporaryDirectory() as name:\n        folder = Path(name)\n"
        "        (folder / 'm').write_bytes(model)\n        x.Vits(model=str(folder / 'm'))"
    ),
    "values by keywords": "from x import Voice\nVoice(session=session, scale=0.5)",
    "values of a package": "import x\ny = x.Config(scale=0.5)\nx.Voice(model=y)",
    "tensors alone": "import torch\ndef f(data: bytes):\n    torch.load(io.BytesIO(data), weights_only=True)",
    "classes that something of ours stands for": "torch.serialization.safe_globals([(_Ignored, n) for n in NAMES])",
    "classes that torch has back": "def f():\n    before = get_safe_globals()\n    add_safe_globals(before)",
    "a network of a config without paths": (
        "from TTS.tts.models.vits import Vits\ndef f(config: Pathless):\n    Vits(configured(VitsConfig, config))"
    ),
    "a recording of the grant": "import soundfile\ndef f(data: bytes):\n    soundfile.read(io.BytesIO(data))",
    "a vocabulary of the grant": "from tokenizers import Tokenizer\ndef f(v: bytes):\n    Tokenizer.from_buffer(v)",
    "other calls": "grant.settings.get('mix'); text.strip(); np.asarray(samples)",
}


@pytest.mark.parametrize("source", FINE.values(), ids=FINE)
def test_the_proof_lets_the_grant_be_read(source: str) -> None:
    assert other_ways_in(source) == []
