"""The inaudible watermark: the networks of Perth, in ONNX Runtime.

Perth ("Perceptual Threshold") is by Resemble AI, https://github.com/resemble-ai/Perth, MIT. One network looks at the
spectrum up to 2 kHz and says by how many decibels each bin may be moved; another says whether somebody did. Both see
levels, 64 ms every 10 ms. The mark is only that it is there: it carries no text.

Here the sound itself is never taken apart and put together again: the mark is the *difference* that the first
network makes to the mono mix, added to both channels. So stereo, length and whatever lies above 2 kHz stay as they
are, and digital silence stays silent.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearspot.engines.registry import versions
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.media.audio import Samples, resample
from clearspot.media.bands import REFERENCE_RATE_HZ, Frames, Framing, analyse, levels_of, synthesise
from clearspot.timebase import RATE_HZ

CHECKPOINT = "perth.pt"
BANDS, HIDDEN, DEPTH, KERNEL = 128, 256, 7, 7
"""Bins that are looked at, channels, layers; the first and the last layer see a frame alone, the others seven."""

REACH_FRAMES = 25
"""What is farther away has no part in a sample: five layers of seven frames, and the windows on both sides."""

CHUNK_FRAMES = 6000
"""A minute is worked on at once: an hour needs no more memory."""

OPSET, IR_VERSION = 17, 8

RESIDUAL_DB = 195.0
"""What the encoder's 1.0 means."""

STRETCHES = {"slow": 1.25, "normal": 1.0, "fast": 0.75}
"""The decoder listens at three speeds, so that a change of tempo does not hide the mark."""

AUDIBLE_SHARE = 0.05
"""Frames at less than this share of the highest level are digital silence; they are neither marked nor asked."""

STRENGTH = 1.25
"""Times the original's. At 1.0 the mark was missed in 2 of 21 programmes, all with loud music; at 1.25 in none, and
PESQ falls by 0.1 (docs/measurements.md)."""

DETECTED_FROM = 0.5
MIN_DETECT_S = 1.0
LOUDEST = 1e6


class PerthWatermarker:
    """Marks programmes and finds the mark; the same samples always give the same."""

    def __init__(self, read_weights: Callable[[], Mapping[str, bytes]], strength: float = STRENGTH) -> None:
        """Nothing is loaded until the first call.

        Args:
            read_weights: Gives the checked bytes of Perth's checkpoint, ``perth.pt``.
            strength: By how much of what the encoder says, in decibels, bins are moved; 1 is the original.
        """
        self._read_weights = read_weights
        self._strength = strength
        self._sessions: Mapping[str, Any] = {}
        self._lock = threading.Lock()

    @functools.cached_property
    def version(self) -> str:
        return f"perth implicit at strength {self._strength:g} in {versions('onnxruntime')}"

    @property
    def detected_from(self) -> float:
        return DETECTED_FROM

    def mark(self, programme: Samples) -> Samples:
        """See ``Watermarker.mark``."""
        if programme.ndim != 2 or programme.shape[1] != 2:
            raise BadInput("is not stereo samples; a programme is what is marked.")
        _check(programme)
        framing = Framing(RATE_HZ)
        chunk, reach = CHUNK_FRAMES * framing.hop, REACH_FRAMES * framing.hop
        marked = programme.astype(np.float32)
        for start in range(0, len(programme), chunk):
            first = max(0, start - reach)
            mono = programme[first : start + chunk + reach].mean(axis=1, dtype=np.float32)
            difference = self.difference(mono, framing)[start - first :][:chunk]
            marked[start : start + chunk] += difference[:, None]
        return marked

    def difference(self, mono: Samples, framing: Framing) -> Samples:
        """The mark of mono samples, shape (samples,), by itself: what must be added to them."""
        frames = analyse(mono, framing, BANDS)
        heard = audible(frames.levels)
        if not heard.any():
            return np.zeros_like(mono)
        residual = self.run("encoder", levels_of(frames.low, framing)) * heard[:, None]
        gains = np.float32(10) ** (residual * np.float32(self._strength * RESIDUAL_DB / 20))
        return synthesise(frames.low * (gains - np.float32(1)), len(mono), framing)

    def detect(self, samples: Samples, rate_hz: int) -> float:
        """See ``Watermarker.detect``."""
        return float(np.clip(self.evidence(samples, rate_hz), 0, 1))

    def evidence(self, samples: Samples, rate_hz: int) -> float:
        """What ``detect`` is before it is cut to 0 and 1: it says how far below 0 unmarked sound is."""
        if samples.ndim != 1:
            raise BadInput("is not mono samples; a watermark is looked for in the mono mix.")
        _check(samples)
        if len(samples) < MIN_DETECT_S * rate_hz:
            return 0.0
        if not Framing.fits(rate_hz):
            samples, rate_hz = resample(samples, rate_hz, REFERENCE_RATE_HZ), REFERENCE_RATE_HZ
        framing = Framing(rate_hz)
        chunks = np.array_split(samples, -(-len(samples) // (CHUNK_FRAMES * framing.hop)))
        sums = sum(self._answers(analyse(chunk, framing, BANDS), framing) for chunk in chunks)
        return _evidence(np.asarray(sums))

    def _answers(self, frames: Frames, framing: Framing) -> NDArray[np.float64]:
        """Of each speed: the sums of its attention and of its confidence over the frames, and how many they are."""
        bands, heard = levels_of(frames.low, framing), audible(frames.levels)
        answers = []
        for name, stretch in STRETCHES.items():
            count = int(len(bands) * stretch)
            said = self.run(name, stretched(bands, count))
            asked = heard[np.arange(count) * len(heard) // count]
            answers.append([*said[asked].sum(axis=0, dtype=np.float64), float(asked.sum())])
        return np.array(answers)

    def run(self, network: str, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """One of the networks alone: levels, shape (frames, 128), to what it says, shape (frames, 128 or 2)."""
        session = self._ready()[network]
        given = np.ascontiguousarray(bands.T).reshape(1, BANDS, *_lines(network), -1)
        said: NDArray[np.float32] = session.run(["said"], {"bands": given})[0]
        return said.reshape(said.shape[1], -1).T

    def _ready(self) -> Mapping[str, Any]:
        with self._lock:
            if not self._sessions:
                self._sessions = _load(self._read_weights())
            return self._sessions


def audible(levels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which frames are more than digital silence, by their mean levels, shape (frames,)."""
    return np.asarray(levels > AUDIBLE_SHARE * levels.max(initial=0))


def stretched(bands: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The same bands, shape (frames, 128), in ``count`` frames from the first to the last, between them linear."""
    if count == len(bands):
        return bands
    places = np.arange(count) * ((len(bands) - 1) / max(1, count - 1))
    before = np.minimum(places.astype(int), len(bands) - 1)
    after = np.minimum(before + 1, len(bands) - 1)
    share = (places - before).astype(np.float32)[:, None]
    return np.asarray(bands[before] * (1 - share) + bands[after] * share)


def _evidence(sums: NDArray[np.float64]) -> float:
    if not (sums[:, 2] > 0).all():
        return 0.0
    attention, confidence = (sums[:, :2] / sums[:, 2:]).T
    weights = np.exp(attention - attention.max())
    return float(np.average(confidence, weights=weights))


def _check(samples: Samples) -> None:
    if len(samples) and not float(np.abs(samples).max()) < LOUDEST:  # NaN is not less than anything
        raise BadInput("is not made of samples that are finite numbers; nothing can be marked or found in it.")


# --- the networks ------------------------------------------------------------------------------------------------


def _lines(network: str) -> tuple[int, ...]:
    """The decoders look at an image of one line: for images, ONNX Runtime has the faster convolution.

    The encoder does not: the last bits of its marks would be others, and with them every deliverable.
    """
    return () if network == "encoder" else (1,)


def _load(files: Mapping[str, bytes]) -> dict[str, Any]:
    import onnxruntime

    from clearspot.engines.checkpoint import read_tensors

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # two single-threaded workers are faster than one with two threads
    options.inter_op_num_threads = 1
    stacks = {"encoder": ("encoder.layers", BANDS)} | {name: (f"decoder.{name}_layers", 2) for name in STRETCHES}
    try:
        tensors = read_tensors(files[CHECKPOINT], CHECKPOINT)
        return {
            name: onnxruntime.InferenceSession(
                _graph(tensors, stack, outputs, _lines(name)), options, providers=["CPUExecutionProvider"]
            )
            for name, (stack, outputs) in stacks.items()
        }
    except Refused:
        raise
    except Exception as error:
        reason = error.what if isinstance(error, ClearspotError) else str(error)
        raise MachineFault(f"the watermark's networks cannot be loaded: {reason}", where=CHECKPOINT) from error


def _graph(tensors: Mapping[str, NDArray[Any]], stack: str, outputs: int, lines: tuple[int, ...]) -> bytes:
    """One stack of convolutions in ONNX: ``bands`` (1, 128, lines, frames) to ``said`` (1, outputs, lines, frames)."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, weights, channels, last = [], [], BANDS, DEPTH - 1
    for layer in range(DEPTH):
        kernel = 1 if layer in {0, last} else KERNEL
        made = outputs if layer == last else HIDDEN
        weight = _tensor(tensors, f"{stack}.{layer}.conv.weight", (made, channels, kernel))
        bias = _tensor(tensors, f"{stack}.{layer}.conv.bias", (made,))
        weights += [
            numpy_helper.from_array(weight.reshape(made, channels, *lines, kernel), f"w{layer}"),
            numpy_helper.from_array(bias, f"b{layer}"),
        ]
        given, sums = f"in{layer}" if layer else "bands", f"sums{layer}" if layer < last else "said"
        pads = [*(0 for _ in lines), kernel // 2] * 2
        nodes.append(helper.make_node("Conv", [given, f"w{layer}", f"b{layer}"], [sums], pads=pads))
        if layer < last:
            nodes.append(helper.make_node("LeakyRelu", [sums], [f"in{layer + 1}"], alpha=0.01))
        channels = made
    graph = helper.make_graph(
        nodes,
        stack,
        [helper.make_tensor_value_info("bands", TensorProto.FLOAT, [1, BANDS, *lines, "frames"])],
        [helper.make_tensor_value_info("said", TensorProto.FLOAT, [1, outputs, *lines, "frames"])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _tensor(tensors: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    found = tensors.get(f"model.{name}")
    if found is None:
        raise MachineFault(f"they have no {name}.")
    if found.shape != shape:
        raise MachineFault(f"their {name} has the shape {found.shape}, not {shape}.")
    return np.ascontiguousarray(found, dtype=np.float32)
