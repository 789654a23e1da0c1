"""Whose voice it is: the speaker encoder that Resemblyzer carries, in ONNX Runtime.

The network is the one of "Generalized End-to-End Loss for Speaker Verification" (Wan et al., 2018,
https://arxiv.org/abs/1710.10467), trained by the authors of https://github.com/resemble-ai/Resemblyzer. Its weights
were learnt on one way of preparing sound, so its numbers are kept; only the detector of speech is another, and all
speech is brought to the same loudness.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearspot.engines.registry import versions
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.media.audio import LISTEN_RATE_HZ, Samples

CHECKPOINT = "encoder.pt"
EMBEDDING_SIZE = 256
HIDDEN_SIZE = 256
LAYERS = 3
OPSET, IR_VERSION = 17, 8

LOUDNESS_DBFS = -30.0
"""The mean power that all speech is brought to. The original leaves louder speech alone, but its network hears
loudness: the same recording at two levels was only .77 to .93 alike.
"""

MIN_SPEECH_S = 1.6
"""One window of the network: less speech than this it has never been asked about."""

MIN_SILENCE_MS, SPEECH_PAD_MS = 200, 90
"""Silences up to the first belong to the speech; the second is kept of longer ones, on either side."""

MEL_WINDOW = LISTEN_RATE_HZ * 25 // 1000
MEL_HOP = LISTEN_RATE_HZ * 10 // 1000
MEL_BANDS = 40
"""Samples, samples, bands."""

WINDOW_FRAMES = 160
STEP_FRAMES = round(LISTEN_RATE_HZ / 1.3 / MEL_HOP)
"""Windows of 1.6 s begin 1.3 times a second."""

MIN_COVERAGE = 0.75
"""How much of the last window must be speech."""

NO_WINDOWS: NDArray[np.float32] = np.zeros((0, WINDOW_FRAMES, MEL_BANDS), dtype=np.float32)
NO_EMBEDDINGS: NDArray[np.float32] = np.zeros((0, EMBEDDING_SIZE), dtype=np.float32)

BATCH_WINDOWS = 64
BATCH_FRAMES = 6000
"""How much is worked on at once: an hour of speech needs no more memory than a minute."""


class ResemblyzerEncoder:
    """Speaker embeddings; the same samples always give the same vector."""

    def __init__(self, read_weights: Callable[[], Mapping[str, bytes]]) -> None:
        """Nothing is loaded until the first call.

        Args:
            read_weights: Gives the checked bytes of Resemblyzer's checkpoint, ``encoder.pt``.
        """
        self._read_weights = read_weights
        self._session: Any = None
        self._lock = threading.Lock()

    @property
    def enough_s(self) -> float:
        return MIN_SPEECH_S

    @functools.cached_property
    def version(self) -> str:
        # faster-whisper brings the detector of speech
        return f"resemblyzer encoder in {versions('onnxruntime', 'faster-whisper')}"

    def embed(self, samples: Samples) -> NDArray[np.float32]:
        """See ``SpeakerEncoder.embed``."""
        return self.embed_speech(speech_of(samples))

    def embed_speech(self, speech: Samples) -> NDArray[np.float32]:
        """The voice in speech that ``speech_of`` made, by itself only for comparison with the original.

        Args:
            speech: Mono float32 at 16 kHz, shape (samples,), without long silences.

        Returns:
            float32, shape (256,), of length 1.

        Raises:
            BadInput: The network hears no voice in it.
        """
        mean = self.embed_mels(_windows(speech, window_starts(len(speech)))).mean(axis=0)
        length = float(np.linalg.norm(mean))
        if not np.isfinite(length) or length == 0:
            raise BadInput("has no voice that can be compared.")
        return np.asarray(mean / length, dtype=np.float32)

    def embed_each(self, speeches: Iterable[Samples]) -> tuple[NDArray[np.float32], ...]:
        """See ``SpeakerEncoder.embed_each``."""
        windows = [windows_over(filled(speech)) for speech in speeches]
        heard = self.embed_mels(np.concatenate([NO_WINDOWS, *windows]))
        return tuple(np.split(heard, np.cumsum([len(each) for each in windows]))[:-1])

    def embed_mels(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network alone: mel spectrograms, shape (windows, 160, 40), to embeddings, shape (windows, 256)."""
        session = self._ready()
        batches = [windows[at : at + BATCH_WINDOWS] for at in range(0, len(windows), BATCH_WINDOWS)]
        said = [session.run(["embeddings"], {"mels": batch})[0] for batch in batches]
        return np.concatenate([NO_EMBEDDINGS, *said])

    def _ready(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _load(self._read_weights())
            return self._session


def similarity(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The cosine similarity of two embeddings: 1 is the same voice; below 0 it does not get, as none is negative."""
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(np.dot(one, other) / lengths)


# --- from samples to mel spectrograms ----------------------------------------------------------------------------


def speech_of(samples: Samples) -> Samples:
    """The speech in a recording, brought to a common loudness, without long silences.

    Args:
        samples: Mono float32 at 16 kHz, shape (samples,).

    Returns:
        The same with long silences cut out, shape (fewer samples,).

    Raises:
        BadInput: It is silent, is not made of finite numbers, or holds too little speech.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise BadInput("is not made of mono samples that are finite numbers; no voice can be compared.")
    levelled = level_to(samples, LOUDNESS_DBFS)
    options = VadOptions(min_silence_duration_ms=MIN_SILENCE_MS, speech_pad_ms=SPEECH_PAD_MS)
    spans = get_speech_timestamps(levelled, options)
    speech = np.concatenate([levelled[:0], *(levelled[span["start"] : span["end"]] for span in spans)])
    if len(speech) < MIN_SPEECH_S * LISTEN_RATE_HZ:
        raise BadInput(
            f"holds {len(speech) / LISTEN_RATE_HZ:.1f} s of speech; "
            f"to compare voices takes at least {MIN_SPEECH_S:g} s, and ten are better.",
        )
    return level_to(speech, LOUDNESS_DBFS)  # once more: silences must not count


def filled(speech: Samples) -> Samples:
    """Speech at the common loudness, over and over until it fills a window; nothing where there is nothing to hear."""
    if not speech.any() or not np.isfinite(speech).all():
        return speech[:0]
    return level_to(np.tile(speech, math.ceil(MIN_SPEECH_S * LISTEN_RATE_HZ / len(speech))), LOUDNESS_DBFS)


def level_to(samples: Samples, level_dbfs: float) -> Samples:
    """The same sound with a mean power of ``level_dbfs``, shape (samples,).

    Raises:
        BadInput: It is silent.
    """
    power = float(np.mean(samples.astype(np.float64) ** 2)) if len(samples) else 0.0
    if power == 0:
        raise BadInput("is silent; there is no voice to compare.")
    gain_db = level_dbfs - 10 * np.log10(power)
    return np.asarray(samples * 10 ** (gain_db / 20), dtype=np.float32)


def windows_over(speech: Samples) -> NDArray[np.float32]:
    """As few windows as leave nothing of some speech unheard, evenly apart, shape (windows, 160, 40)."""
    if not len(speech):
        return NO_WINDOWS
    last = max(0, len(speech) // MEL_HOP - WINDOW_FRAMES)
    return _windows(speech, np.linspace(0, last, 1 + math.ceil(last / WINDOW_FRAMES)).astype(int).tolist())


def _windows(speech: Samples, starts: Sequence[int]) -> NDArray[np.float32]:
    """What the network looks at from these frames on; silence is added where the last reaches beyond the end."""
    missing = (starts[-1] + WINDOW_FRAMES) * MEL_HOP - len(speech)
    mels = mel_spectrogram(np.pad(speech, (0, max(0, missing))))
    return np.stack([mels[start : start + WINDOW_FRAMES] for start in starts])


def window_starts(length: int) -> list[int]:
    """The first frames of the windows over so many samples of speech; the last may reach beyond their end."""
    frames = length // MEL_HOP + 1
    starts = list(range(0, max(1, frames - WINDOW_FRAMES + STEP_FRAMES + 1), STEP_FRAMES))
    covered = (length - starts[-1] * MEL_HOP) / (WINDOW_FRAMES * MEL_HOP)
    return starts[:-1] if covered < MIN_COVERAGE and len(starts) > 1 else starts


def mel_spectrogram(speech: Samples) -> NDArray[np.float32]:
    """Power, not in decibels, in 40 mel bands every 10 ms, frames centred on their times, as librosa has it.

    Args:
        speech: Mono float32 at 16 kHz, shape (samples,).

    Returns:
        float32, shape (samples // 160 + 1, 40).
    """
    padded = np.pad(speech, MEL_WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, MEL_WINDOW)[::MEL_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL_WINDOW) / MEL_WINDOW)
    bank = mel_bank().T
    blocks = [frames[at : at + BATCH_FRAMES] for at in range(0, len(frames), BATCH_FRAMES)]
    return np.concatenate([(np.abs(np.fft.rfft(block * hann)) ** 2 @ bank).astype(np.float32) for block in blocks])


@functools.cache
def mel_bank() -> NDArray[np.float64]:
    """Triangles of equal area, evenly spaced in mels from 0 Hz to 8 kHz, shape (40, 201).

    The mel scale is that of Slaney's Auditory Toolbox (1998): 200/3 Hz a mel below 1 kHz; above it 27 mels to a
    factor of 6.4.
    """
    corner_hz, hz_a_mel, step = 1000.0, 200 / 3, np.log(6.4) / 27
    corner = corner_hz / hz_a_mel
    top = corner + np.log(LISTEN_RATE_HZ / 2 / corner_hz) / step
    mels = np.linspace(0.0, top, MEL_BANDS + 2)
    edges_hz = np.where(mels < corner, mels * hz_a_mel, corner_hz * np.exp(step * (mels - corner)))
    bins_hz = np.fft.rfftfreq(MEL_WINDOW, 1 / LISTEN_RATE_HZ)
    low, peak, high = (edges_hz[at : at + MEL_BANDS, np.newaxis] for at in range(3))
    rising, falling = (bins_hz - low) / (peak - low), (high - bins_hz) / (high - peak)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low))


# --- the network -------------------------------------------------------------------------------------------------


def _load(files: Mapping[str, bytes]) -> Any:
    import onnxruntime

    from clearspot.engines.checkpoint import read_tensors

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # two single-threaded workers are faster than one with two threads
    options.inter_op_num_threads = 1
    try:
        model = _graph(read_tensors(files[CHECKPOINT], CHECKPOINT))
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Refused:
        raise
    except Exception as error:
        reason = error.what if isinstance(error, ClearspotError) else str(error)
        raise MachineFault(f"the speaker encoder cannot be loaded: {reason}", where=CHECKPOINT) from error


def _graph(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The network in ONNX: ``mels`` (windows, frames, 40) to ``embeddings`` (windows, 256)."""
    from onnx import TensorProto, checker, helper, numpy_helper

    weights: dict[str, NDArray[Any]] = {"first": np.array([0], dtype=np.int64), "one": np.array([1], dtype=np.int64)}
    nodes = [helper.make_node("Transpose", ["mels"], ["in0"], perm=[1, 0, 2])]  # ONNX's LSTM has time first
    for layer in range(LAYERS):
        weights |= _lstm(tensors, layer)
        names = [f"{kind}{layer}" for kind in ("in", "w", "r", "b")]
        nodes += [
            helper.make_node("LSTM", names, [f"y{layer}", f"last{layer}"], hidden_size=HIDDEN_SIZE),
            helper.make_node("Squeeze", [f"y{layer}", "one"], [f"in{layer + 1}"]),  # axis 1 counts directions
        ]
    weights["linear_w"] = _tensor(tensors, "linear.weight", (EMBEDDING_SIZE, HIDDEN_SIZE))
    weights["linear_b"] = _tensor(tensors, "linear.bias", (EMBEDDING_SIZE,))
    nodes += [
        helper.make_node("Squeeze", [f"last{LAYERS - 1}", "first"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "linear_w", "linear_b"], ["linear"], transB=1),
        helper.make_node("Relu", ["linear"], ["positive"]),
        helper.make_node("LpNormalization", ["positive"], ["embeddings"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "speaker-encoder",
        [helper.make_tensor_value_info("mels", TensorProto.FLOAT, ["windows", "frames", MEL_BANDS])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["windows", EMBEDDING_SIZE])],
        [numpy_helper.from_array(weight, name) for name, weight in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _lstm(tensors: Mapping[str, NDArray[Any]], layer: int) -> dict[str, NDArray[np.float32]]:
    """One layer's weights as ONNX has them: gates in the order i, o, f, c, both biases in one row."""
    gates = 4 * HIDDEN_SIZE
    inputs = MEL_BANDS if layer == 0 else HIDDEN_SIZE
    w, r, b_in, b_hidden = (
        _torch_to_onnx_gates(_tensor(tensors, f"lstm.{kind}_l{layer}", shape))
        for kind, shape in (
            ("weight_ih", (gates, inputs)),
            ("weight_hh", (gates, HIDDEN_SIZE)),
            ("bias_ih", (gates,)),
            ("bias_hh", (gates,)),
        )
    )
    return {f"w{layer}": w[None], f"r{layer}": r[None], f"b{layer}": np.concatenate([b_in, b_hidden])[None]}


def _torch_to_onnx_gates(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Torch stacks input, forget, cell, output; ONNX input, output, forget, cell."""
    i, f, c, o = np.split(weight, 4)
    return np.concatenate([i, o, f, c])


def _tensor(tensors: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    found = tensors.get(f"model_state.{name}")
    if found is None:
        raise MachineFault(f"it has no {name}.")
    if found.shape != shape:
        raise MachineFault(f"its {name} has the shape {found.shape}, not {shape}.")
    return np.ascontiguousarray(found, dtype=np.float32)
