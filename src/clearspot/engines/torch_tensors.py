"""What engines of torch share: checkpoints opened as data alone, and a device that has to be there."""

from __future__ import annotations

import io
import threading
from typing import Any

from clearspot.errors import MachineFault, Refused

_READING = threading.Lock()
"""What a checkpoint may hold beside tensors is one list for a whole process."""


class _Ignored:
    """What stands for an object inside a checkpoint; nothing of it is kept."""

    def __setstate__(self, state: object) -> None:
        """Forget what it was."""


def read_checkpoint(data: bytes, where: str, ignored: tuple[str, ...] = ()) -> Any:
    """A checkpoint as tensors, numbers, strings and containers of them.

    Args:
        data: The file.
        where: What errors call it.
        ignored: Names of classes that may be in it, too. They are never looked up, and nothing of them is kept.

    Raises:
        Refused: There is anything else in it: a pickle is a program, and none is run here.
        MachineFault: There is not enough memory.
    """
    import torch

    with _READING:
        # Libraries add to the list of what else may be in a checkpoint, and none of it may be in ours.
        others = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        try:
            # Each stands for a class by its name, so that no class that is named in the file is imported or made.
            with torch.serialization.safe_globals([(_Ignored, name) for name in ignored]):
                return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:
            require_memory(error, where)
            # torch fails on made-up bytes in more ways than can be listed; all of them mean the same.
            why = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise Refused(
                f"is not a checkpoint of tensors alone, or a damaged one ({why[0][:160]}); it is not opened.",
                where=where,
                remedy="Save its tensors anew with torch.save, from a program that you trust.",
            ) from error
        finally:
            torch.serialization.add_safe_globals(others)


NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")
"""How torch says it, on the CPU and on a GPU."""


def require_memory(error: Exception, where: str) -> None:
    """That what went wrong is not this machine's want of memory: no fault of the file's.

    Raises:
        MachineFault: It is.
    """
    told = str(error).lower()
    if isinstance(error, MemoryError) or any(words in told for words in NO_MEMORY):
        raise MachineFault(
            "there is not enough memory to load it.",
            where=where,
            remedy="Close other programs, take a smaller model, or a machine with more memory.",
        ) from error


def require_device(device: str, engine: str) -> list[int]:
    """That the device which the settings name is there; it is never another one instead.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1`` and so on.
        engine: Its engine's name in the settings.

    Returns:
        The numbers of the GPUs that are used: one, or none.

    Raises:
        MachineFault: torch does not find it.
    """
    import torch

    if not device.startswith("cuda"):
        return []
    number = int(device.partition(":")[2] or 0)
    if not (torch.cuda.is_available() and number < torch.cuda.device_count()):
        raise MachineFault(
            f"torch {torch.__version__} finds no device {device!r} on this machine.",
            where=f"configs/clearspot.yaml: engines.{engine}.device",
            remedy="Write cpu there, or see to the GPU, its driver and a torch that is made for it.",
        )
    return [number]
