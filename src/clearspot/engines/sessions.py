"""ONNX Runtime sessions as our speech engines want them: from checked bytes, one thread, memory given back."""

from __future__ import annotations

from typing import Any


def open_session(model: bytes) -> Any:
    """A session of a model's bytes.

    Raises:
        Exception: Whatever ONNX Runtime says of a model that it cannot load.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # two single-threaded workers are faster than one with two threads
    options.inter_op_num_threads = 1
    return _returning_memory()(model, options, providers=["CPUExecutionProvider"])


def _returning_memory() -> type[Any]:
    """An ONNX session that gives its working memory back after each call: a long line needs some 400 MB."""
    import onnxruntime

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        def run(self, names: Any, feed: Any, options: Any = None) -> Any:
            options = options or onnxruntime.RunOptions()
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
            return super().run(names, feed, options)

    return Session
