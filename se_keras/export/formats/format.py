"""What a format of exported models consists of."""

import dataclasses
import importlib
import inspect
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from se_keras.backend import on_tensorflow, require_tensorflow
from se_keras.errors import UsageError, as_usage_errors
from se_keras.export.attachment import Attachment
from se_keras.export.metadata import Metadata

if TYPE_CHECKING:
    import keras

Run = Callable[[np.ndarray], np.ndarray]


def _accept(**options: Any) -> None:
    """Accepts all options."""


def _no_facts(path: pathlib.Path) -> dict[str, Any]:
    """Returns no facts of a file."""
    return {}


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of exported models: a row of `FORMATS`.

    TensorFlow and the other packages are imported by the functions that need them, not
    by the modules that they are in.

    Attributes:
        name: Name of the format, and of its function in `se_keras.export`.
        description: What the format is for, in a few words, for help texts.
        writer: Writes a network on the TensorFlow backend: a callable of the network,
            the path and the metadata that will be stored with it. What it takes in
            addition, with a default, are the options of the format.
        opener: Callable of a path that returns a callable of a batch of images, which
            runs what is at the path.
        attachment: How the metadata are stored with the exported model.
        describer: Callable of a path that returns what the report states for this
            format only.
        checker: Callable of the options that raises a `UsageError` if they do not fit
            together.
        suffix: Suffix of the file; `""` for a directory.
        marker: For a directory, the file in it by which the format is recognized.
        any_size: Whether the height and width of the images may be unknown.
        converters: Packages that only writing the format needs.
        runtimes: Packages that opening and running it needs, too.
        any_backend: Whether models of the JAX and PyTorch backends of Keras can be
            exported, too.
    """

    name: str
    description: str
    writer: Callable[..., None]
    opener: Callable[[pathlib.Path], Run]
    attachment: Attachment
    describer: Callable[[pathlib.Path], dict[str, Any]] = _no_facts
    checker: Callable[..., None] = _accept
    suffix: str = ""
    marker: str = ""
    any_size: bool = True
    converters: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    any_backend: bool = False

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the format, and the default of each."""
        parameters = inspect.signature(self.writer).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

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
        self.require_runtimes()
        if on_tensorflow():
            _require(*self.converters)

    def require_runtimes(self) -> None:
        """Raises a `UsageError` if a package that opens and runs it is missing."""
        _require(*self.runtimes)

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

            with as_usage_errors(tf.errors.ResourceExhaustedError):
                self.writer(network, path, metadata, **options)
        else:
            from se_keras.export import child

            child.write(self.name, network, path, metadata, options)

    def open(self, path: pathlib.Path) -> Run:
        """Returns a callable of a batch of images that runs what is at `path`."""
        return self.opener(path)


def _require(*packages):
    """Raises a `UsageError` if a package of the extra `export` is missing."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise UsageError(
                f"Expected the package {package}: pip install 'se-keras[export]'. "
                f"Received: {error}"
            ) from error


def one_by_one(run: Run) -> Run:
    """Returns a callable of a batch for a model of one image."""
    return lambda images: np.concatenate([run(image[None]) for image in images])
