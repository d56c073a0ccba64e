"""The formats of exported models: the only place that lists them.

A format `NAME` is a row of `FORMATS`, a writer `writers.write_NAME`, a function
`runtime.run_NAME` that opens it, and its public function `se_keras.export.NAME`.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from se_keras.backend import on_tensorflow, require_tensorflow
from se_keras.errors import as_usage_errors
from se_keras.export import runtime
from se_keras.export.metadata import Metadata

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of exported models.

    Attributes:
        name: Name of the format, and of its function in `se_keras.export`.
        description: What the format is for, in a few words, for help texts.
        suffix: Suffix of the file; `""` for a directory.
        marker: For a directory, the file in it by which the format is recognized.
        options: What its function takes in addition to the arguments that all formats
            share, and the default of each.
        any_size: Whether the height and width of the images may be unknown.
        converters: Packages that only writing the format needs.
        runtimes: Packages that opening and running it needs, too.
        any_backend: Whether models of the JAX and PyTorch backends of Keras can be
            exported, too.
    """

    name: str
    description: str
    suffix: str = ""
    marker: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    any_size: bool = True
    converters: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    any_backend: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        """What has to be installed in addition to TensorFlow; the extra `export`."""
        return (*self.converters, *self.runtimes)

    @property
    def kind(self) -> str:
        """What an export of this format is, for messages: `".tflite file"`."""
        return f"{self.suffix} file" if self.suffix else f"{self.name} directory"

    def file_name(self, stem: str | None = None) -> str:
        """Returns the name of an exported file or directory.

        Args:
            stem: Name of the model. By default files are named `model`, and
                directories by the format.
        """
        if self.suffix:
            return f"{stem or 'model'}{self.suffix}"
        return f"{stem}_{self.name}" if stem else self.name

    def matches(self, path: pathlib.Path) -> bool:
        """Returns whether `path` looks like an export of this format."""
        if self.suffix:
            return path.suffix == self.suffix and not path.is_dir()
        return (path / self.marker).is_file()

    def require(self) -> None:
        """Raises a `UsageError` if the backend or a package for it is missing."""
        if not self.any_backend:
            require_tensorflow(f"se_keras.export.{self.name}")
        # Under another backend a child process imports the converters.
        converters = self.converters if on_tensorflow() else ()
        runtime.require(*self.runtimes, *converters)

    def write(
        self,
        network: "keras.Model",
        path: pathlib.Path,
        metadata: Metadata,
        **options: Any,
    ) -> None:
        """Writes a network.

        Args:
            network: A model of one image in its inference form, float32.
            path: The file or directory.
            metadata: What will be stored with it.
            **options: Those in `options`.

        Raises:
            UsageError: If the converter has no form for a layer, or the disk is full.
        """
        if on_tensorflow():
            import tensorflow as tf

            from se_keras.export import writers

            write = getattr(writers, f"write_{self.name}")
            with as_usage_errors(tf.errors.ResourceExhaustedError):
                write(network, path, metadata, **options)
        else:
            from se_keras.export import child

            child.write(self.name, network, path, metadata, options)

    def open(self, path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
        """Returns a callable of a batch of images that runs what is at `path`."""
        return getattr(runtime, f"run_{self.name}")(path)

    def describe(self, path: pathlib.Path) -> dict[str, Any]:
        """Returns what the report of the file at `path` states for this format only."""
        describe = getattr(runtime, f"describe_{self.name}", None)
        return describe(path) if describe else {}


@dataclasses.dataclass(frozen=True)
class Quantization:
    """A way to store a network in fewer bits.

    Attributes:
        description: What it stores, in a few words, for help texts.
        largest_error: Largest root mean square of the difference from the Keras
            model, relative to that of its outputs, that an export may have.
    """

    description: str
    largest_error: float


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format(
            "saved_model",
            "TensorFlow and TensorFlow Serving",
            marker="saved_model.pb",
            options={"frozen": None},
        ),
        Format(
            "tflite",
            "Android, iOS, microcontrollers and browsers",
            suffix=".tflite",
            options={
                "quantization": None,
                "calibration": None,
                "dynamic_batch": False,
            },
            any_size=False,
        ),
        Format(
            "onnx",
            "ONNX Runtime and what else reads ONNX",
            suffix=".onnx",
            options={"dynamic_batch": True},
            converters=("tf2onnx",),
            runtimes=("onnx", "onnxruntime"),
            any_backend=True,
        ),
        Format(
            "openvino",
            "OpenVINO on Intel's processors",
            marker=runtime.OPENVINO_FILE,
            options={"dynamic_batch": True},
            converters=("onnx", "tf2onnx"),
            runtimes=("openvino",),
            any_backend=True,
        ),
    )
}

# What `quantization` may be in addition to `None`, by name.
QUANTIZATIONS: dict[str, Quantization] = {
    "float16": Quantization("float16 weights, float32 arithmetic", 0.02),
    "dynamic": Quantization("int8 weights", 0.2),
    "int8": Quantization("int8 weights and activations", 0.3),
}


def formats_with(option: str) -> tuple[str, ...]:
    """Returns the names of the formats that have an option."""
    return tuple(name for name, form in FORMATS.items() if option in form.options)


def format_of(path: pathlib.Path) -> Format | None:
    """Returns the format of what is at `path`, or `None` if it is none of them."""
    return next((form for form in FORMATS.values() if form.matches(path)), None)
