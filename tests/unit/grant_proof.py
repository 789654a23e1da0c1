"""Reads source code, and says where it makes a grant of its own or opens a voice's weights without one.

It finds what somebody might write in a hurry, and the tricks that we know: ``test_grants.py`` and
``test_consent_engines.py`` have both kinds, so that the proof itself can fail.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

SEAL = "_SEAL"
COPIES = {"copy", "deepcopy", "replace", "__replace__", "__copy__", "__deepcopy__"}
SETTERS = {"__setattr__", "setattr", "__setstate__", "__delattr__", "delattr", "__post_init__", "__init__"}
TRICKS = {"eval", "exec", "__globals__", "__subclasses__", "__reduce__", "__reduce_ex__"}
PICKLES = {"pickle", "marshal", "dill", "cloudpickle", "shelve", "copyreg", "ctypes", "gc"}


def last_name(node: ast.AST | None) -> str:
    """The last name of a dotted name: ``Grant`` of ``grant.Grant``; of text, the same."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Constant(value=str() as name):
            return name.split(".")[-1]
        case ast.Starred(value=inner) | ast.Subscript(value=inner):
            return last_name(inner)
    return ""


def forgeries(source: str) -> list[str]:
    """Where a source makes a grant by another way than ``authorize``, line by line."""
    tree = ast.parse(source)
    makers = {"Grant"} | _other_names(tree)
    held = _annotated(tree, makers)
    return [f"line {node.lineno}: {why}" for node, why in _forged(tree, makers, held)]  # type: ignore[attr-defined]


def _other_names(tree: ast.AST) -> set[str]:
    """What else the class is called in a source."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname for alias in node.names if alias.name == "Grant" and alias.asname}
        elif isinstance(node, ast.Assign) and last_name(node.value) == "Grant":
            found |= {last_name(target) for target in node.targets}
    return found - {""}


def _annotated(tree: ast.AST, makers: set[str]) -> set[str]:
    """Names that hold a grant, by their annotations."""
    arguments = (node for node in ast.walk(tree) if isinstance(node, ast.arg | ast.AnnAssign))
    return {
        node.arg if isinstance(node, ast.arg) else last_name(node.target)
        for node in arguments
        if last_name(node.annotation) in makers
    }


def _forged(tree: ast.AST, makers: set[str], held: set[str]) -> Iterator[tuple[ast.AST, str]]:
    def is_grant(node: ast.AST | None) -> bool:
        name = last_name(node)
        return name in makers | held or name.lower().endswith("grant")

    for node in ast.walk(tree):
        if last_name(node) == SEAL and not isinstance(node, ast.Starred | ast.Subscript):
            yield node, "names the seal"
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
            if SEAL in names or ("*" in names and any(name.endswith("consent.grant") for name in names)):
                yield node, "names the seal"
            if any(name.split(".")[0] in PICKLES for name in names):
                yield node, "makes objects from bytes"
        elif isinstance(node, ast.ClassDef) and any(last_name(base) in makers for base in node.bases):
            yield node, "makes a kind of Grant"
        elif isinstance(node, ast.Assign | ast.Delete):
            if any(isinstance(target, ast.Attribute) and is_grant(target.value) for target in node.targets):
                yield node, "changes a grant"
        elif isinstance(node, ast.Call):
            yield from ((node, why) for why in _forging_calls(node, makers, is_grant))
        elif isinstance(node, ast.Name | ast.Attribute) and last_name(node) in TRICKS:
            yield node, f"uses {last_name(node)}"


def _forging_calls(node: ast.Call, makers: set[str], is_grant: object) -> Iterator[str]:
    assert callable(is_grant)
    name, given = last_name(node.func), [*node.args, *(keyword.value for keyword in node.keywords)]
    of_one = is_grant(node.args[0]) if node.args else False
    receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
    if name in makers:
        yield "calls Grant"
    if name == "__new__" and (is_grant(receiver) or any(map(is_grant, given)) or isinstance(receiver, ast.Call)):
        yield "makes a Grant without its seal"
    if name == "__class__" or (isinstance(node.func, ast.Call) and last_name(node.func.func) == "type"):
        yield "makes another of its kind"
    if name in COPIES and (of_one or is_grant(receiver)):
        yield "copies a grant"
    if name in SETTERS and (of_one or is_grant(receiver) or (last_name(receiver) == "object" and "setattr" in name)):
        yield "changes a grant"
    if name in {"getattr", "attrgetter", "vars"} and any(last_name(each) in makers | {SEAL} for each in given):
        yield "looks for the class by its name"


FORBIDDEN_MODULES = {
    "requests", "urllib", "urllib3", "http", "httpx", "aiohttp", "huggingface_hub", "socket", "ftplib", "subprocess",
    "mmap", "pickle", "shelve", "clearspot.engines.weights", "clearspot.engines.fetching", "clearspot.engines.studio",
    "clearspot.project", "clearspot.files", "clearspot.job",
}  # fmt: skip
"""A speech engine brings nothing from elsewhere, and does not know where weights lie."""

OPENERS = {
    "open", "fdopen", "FileIO", "read_bytes", "read_text", "fromfile", "memmap", "open_memmap", "loadtxt", "genfromtxt",
    "from_pretrained", "from_file", "hf_hub_download", "snapshot_download", "urlopen", "urlretrieve", "download",
    "PinnedFile", "Weights", "load_weights", "resolve", "fetch", "pinned", "pinned_roles", "find_project",
    "import_module", "__import__", "eval", "exec", "getattr", "attrgetter", "vars", "globals", "environ",
    # Coqui's and torch's own, which take paths, follow those in a config, or fetch
    "load_checkpoint", "load_fairseq_checkpoint", "load_fsspec", "load_config", "load_ids_from_file", "hub",
    "load_embeddings_from_file", "init_encoder", "init_from_config", "clone_voice", "load_voice_file", "setup_model",
    "get_conditioning_latents", "compute_embedding_from_clip", "register_config", "import_class", "find_module", "jit",
}  # fmt: skip
LOADERS = {"load", "loads", "load_model", "load_wav", "InferenceSession"}
"""These take a path or bytes; what they are given has to come from the grant."""

OURS = {"clearspot", "numpy"} | set(sys.stdlib_module_names)
KNOWN = OURS | {"onnxruntime", "soundfile", "torch"}
"""Modules whose few ways to load are all among ``LOADERS`` and ``OPENERS``. Of others each call is looked at."""
PATHLESS = "Pathless"
"""Our type of a config that names no file: ``test_consent_engines.py`` proves that one place makes it."""
ONE_WAY_IN = {"from_session", "from_dict", "make_node", "from_array"}
"""Of other packages, what takes no path: something loaded already, or values."""

PATHS = {
    "model", "models", "model_path", "path", "paths", "file", "filename", "config_path", "checkpoint", "lexicon",
    "checkpoint_path", "tokens", "voices", "voices_path", "data_dir", "dict_dir", "model_dir", "espeak_data_dir",
    "repo_id",
}  # fmt: skip
"""Keywords under which other packages take paths, or names of models that they would look for."""


def other_ways_in(source: str) -> list[str]:
    """Where a speech engine's source opens files or weights by another way than ``grant.weights[...].read()``."""
    tree = ast.parse(source)
    found = [*_imports(tree), *_names(tree)]
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda | ast.Module)):
        found += _calls(tree, function)
    return [f"line {line}: {why}" for line, why in sorted(set(found))]


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        module = f"{getattr(node, 'module', '') or ''}."
        for name in {f"{module}{alias.name}".lstrip(".") for alias in node.names} | {module.strip(".")}:
            if any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN_MODULES):
                yield node.lineno, f"imports {name}"


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and last_name(node) in OPENERS:
            yield node.lineno, f"uses {last_name(node)}"


def _calls(tree: ast.AST, function: ast.AST) -> Iterator[tuple[int, str]]:
    """What a function reads, and what it gives to whatever loads."""
    files, data = _granted(function)
    sessions = {"InferenceSession"} | {
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and _is_session(node)
    }
    foreign = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in OURS
        for alias in node.names
    }
    modules = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] not in KNOWN
    }
    own = _own_folders(function)
    made = _made_by(function, modules)
    for node in _own(function):
        if not isinstance(node, ast.Call):
            continue
        name = last_name(node.func)
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        first = node.args[0] if node.args else None
        if name == "read" and not _is_file(receiver, files) and not _is_data(first, files, data):
            yield node.lineno, "reads what the grant does not give"
        if last_name(receiver) == "torch" and name == "load" and not _is_tensors_alone(node):
            yield node.lineno, "lets torch make objects from bytes"
        if name in {"add_safe_globals", "safe_globals"} and not _stands_in(node, name, _given_back(function)):
            yield node.lineno, "lets a checkpoint name classes"
        loads = name in LOADERS | sessions or isinstance(node.func, ast.Call)
        called = (isinstance(node.func, ast.Name) and name in foreign) and not _by_keywords(node)
        if (loads or called) and not _is_data(first, files, data):
            yield node.lineno, f"gives {name or 'a loader'} something else than bytes of the grant"
        if last_name(receiver) in foreign and name not in ONE_WAY_IN and not _is_data(first, files, data):
            yield node.lineno, f"lets {last_name(receiver)}.{name} look for itself"
        if name in {"write_bytes", "write"} and not (_is_within(receiver, own) and _is_data(first, files, data)):
            yield node.lineno, "writes something else than bytes of the grant into a folder of its own"
        if _root(node.func) in modules and name not in ONE_WAY_IN:
            positional = [] if loads else node.args[:1]
            named = [keyword.value for keyword in node.keywords if keyword.arg is None or keyword.arg in PATHS]
            for given in (*positional, *named):
                nested = isinstance(given, ast.Call) and _root(given.func) in modules
                if not (nested or _is_data(given, files, data) or _is_within(given, own) or last_name(given) in made):
                    yield node.lineno, f"lets {_root(node.func)}.{name} look for itself"


def _by_keywords(node: ast.Call) -> bool:
    """Whether a call is given values by keywords alone, none of which is a path."""
    return not node.args and bool(node.keywords) and all(k.arg and k.arg not in PATHS for k in node.keywords)


def _root(node: ast.AST | None) -> str:
    """The first name of a dotted name: ``piper`` of ``piper.PiperConfig.from_dict``; empty where it is none."""
    if not isinstance(node, ast.Attribute):
        return ""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _own_folders(function: ast.AST) -> set[str]:
    """The names in a function of temporary folders that it made itself."""
    found = {
        last_name(item.optional_vars)
        for node in _own(function)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.context_expr, ast.Call) and last_name(item.context_expr.func) == "TemporaryDirectory"
    }
    for node in sorted((n for n in _own(function) if isinstance(n, ast.Assign)), key=lambda n: n.lineno):
        for target, value in _pairs(node):
            found = found | {target} if _is_within(value, found) else found - {target}
    return found - {""}


def _is_within(node: ast.AST | None, own: set[str]) -> bool:
    """Whether something is a folder of the function's own, or a path in one."""
    match node:
        case ast.Name(id=name):
            return name in own
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=str() as name)):
            return _is_within(left, own) and name not in {"", ".."} and "/" not in name
        case ast.Call(func=ast.Name(id="str" | "Path"), args=[inner], keywords=[]):
            return _is_within(inner, own)
    return False


def _made_by(function: ast.AST, modules: set[str]) -> set[str]:
    """The names in a function that hold what another package made; how it did is looked at where it is called."""
    found: set[str] = set()
    for node in sorted((n for n in _own(function) if isinstance(n, ast.Assign)), key=lambda n: n.lineno):
        for target, value in _pairs(node):
            ours = isinstance(value, ast.Call) and _root(value.func) in modules
            found = found | {target} if ours else found - {target}
    return found - {""}


def _is_session(node: ast.ClassDef) -> bool:
    return any(last_name(base) == "InferenceSession" for base in node.bases)


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function itself, not in one inside it."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _granted(function: ast.AST) -> tuple[set[str], set[str]]:
    """The names in a function that hold files of the grant, and those that hold their bytes."""
    arguments = getattr(getattr(function, "args", None), "args", [])
    data = {argument.arg for argument in arguments if last_name(argument.annotation) in {"bytes", PATHLESS}}
    files: set[str] = set()
    for node in sorted((n for n in _own(function) if isinstance(n, ast.Assign)), key=lambda n: n.lineno):
        for target, value in _pairs(node):
            if _is_file(value, files):
                files.add(target)
            elif _is_data(value, files, data):
                data.add(target)
            else:
                files.discard(target)
                data.discard(target)
    return files, data


def _pairs(node: ast.Assign) -> Iterator[tuple[str, ast.AST]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from ((last_name(one), value) for one, value in zip(target.elts, node.value.elts, strict=True))
        else:
            yield last_name(target), node.value


def _is_file(node: ast.AST | None, files: set[str]) -> bool:
    """Whether something is a file of the grant."""
    match node:
        case ast.Name(id=name):
            return name in files
        case ast.Subscript(value=ast.Attribute(value=ast.Name(id="grant"), attr="weights")):
            return True
    return False


def _is_data(node: ast.AST | None, files: set[str], data: set[str]) -> bool:
    """Whether something is bytes of the grant, or a config without paths."""
    match node:
        case ast.Name(id=name):
            return name in data
        case ast.Call(func=ast.Attribute(value=receiver, attr="read"), args=[]):
            return _is_file(receiver, files)
        case ast.Call(func=func, args=[inner]) if last_name(func) == "BytesIO":
            return _is_data(inner, files, data)
        case ast.Call(func=ast.Name(id="configured"), args=[ast.Name(), inner]):
            return _is_data(inner, files, data)
        case ast.Attribute(value=ast.Call() as made, attr="audio"):
            return _is_data(made, files, data)
    return False


def _is_tensors_alone(node: ast.Call) -> bool:
    """Whether torch is told to run nothing that a checkpoint asks for."""
    told = {keyword.arg: keyword.value for keyword in node.keywords}
    only = told.get("weights_only")
    return isinstance(only, ast.Constant) and only.value is True and "pickle_module" not in told and None not in told


def _given_back(function: ast.AST) -> set[str]:
    """Names in a function that hold, once and for all, what torch let checkpoints name before."""
    assigned = [node for node in _own(function) if isinstance(node, ast.Assign)]
    found = {
        last_name(node.targets[0])
        for node in assigned
        if isinstance(node.value, ast.Call) and last_name(node.value.func) == "get_safe_globals"
    }
    return {name for name in found if sum(name in map(last_name, node.targets) for node in assigned) == 1}


def _stands_in(node: ast.Call, name: str, given_back: set[str]) -> bool:
    """Whether a checkpoint's classes are all replaced for a while, or torch has back what it had before."""
    match node.args:
        case [ast.ListComp(elt=ast.Tuple(elts=[ast.Name(id=ours), ast.Name()]))]:
            return name == "safe_globals" and ours == "_Ignored"
        case [ast.Name(id=before)]:
            return name == "add_safe_globals" and before in given_back
    return False
