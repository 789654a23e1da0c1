"""One call of espeak-ng in a process of its own: what to say as JSON on stdin, 16-bit samples on stdout."""

from __future__ import annotations

import ctypes
import json
import sys

SYNCHRONOUS, UTF_8 = 2, 1
RATE, PITCH = 1, 3


def main() -> None:
    """Speak what stdin asks for; before the samples stands their rate in Hz, as four bytes."""
    import espeakng_loader

    asked = json.load(sys.stdin)
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    heard = bytearray()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def take(samples: int | None, count: int, _: int) -> int:
        if samples and count > 0:
            heard.extend(ctypes.string_at(samples, 2 * count))
        return 0

    library.espeak_SetSynthCallback(take)
    if rate_hz <= 0 or library.espeak_SetVoiceByName(asked["espeak_voice"].encode()) != 0:
        sys.exit(f"espeak-ng has no voice {asked['espeak_voice']}")
    library.espeak_SetParameter(RATE, asked["words_a_minute"], 0)
    library.espeak_SetParameter(PITCH, asked["pitch"], 0)
    text = asked["text"].encode()
    library.espeak_Synth(text, len(text) + 1, 0, 0, 0, UTF_8, None, None)
    library.espeak_Synchronize()
    sys.stdout.buffer.write(rate_hz.to_bytes(4, "little") + heard)


if __name__ == "__main__":
    main()
