"""From a file, a state dict or a name to the weights of a model."""

import contextlib
import dataclasses
import functools
import logging
import pathlib
from collections.abc import Callable, Mapping
from typing import TypeGuard

import keras

from se_keras.errors import UsageError
from se_keras.models.image_model import image_shape
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.structure import CLASSIFIER
from se_keras.weights import hub, inventory
from se_keras.weights.checkpoint import (
    AVERAGED,
    SHOWN,
    Checkpoint,
    from_state_dict,
    open_file,
    suffix_of,
)
from se_keras.weights.matching import (
    Note,
    converted,
    fitting_networks,
    match,
    same_traits,
    twins,
    with_named_network,
)
from se_keras.weights.published import WeightsInfo

_logger = logging.getLogger("se_keras.weights")


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What `load` did.

    Attributes:
        info: What is known of the weights.
        loaded: Paths of the variables that have their values from the source.
        skipped: What was left out, on either side, and why.
        adapted: What got another shape on its way, and how.
        preprocessing: What the model's preprocessing was set to; `None` if the source
            does not state it, and the model keeps its own.
        remarks: What else a user should know, each a sentence: another network with
            the same weights, a config that is not used, ...
        state_dict: Name of the state dict of the source that was loaded, the keys that
            lead to it with dots between; `""` if the source is one.
    """

    info: WeightsInfo
    loaded: tuple[str, ...]
    skipped: tuple[Note, ...] = ()
    adapted: tuple[Note, ...] = ()
    preprocessing: Preprocessing | None = None
    remarks: tuple[str, ...] = ()
    state_dict: str = ""

    def __str__(self):
        within = f" ({self.state_dict!r})" if self.state_dict else ""
        parts = [f"{len(self.loaded)} weights from {self.info.source}{within}"]
        parts += [f"adapted {note}" for note in self.adapted]
        parts += [f"skipped {note}" for note in self.skipped]
        parts += self.remarks
        return "; ".join(parts)


def load(model: keras.Model, source: str | pathlib.Path | Mapping) -> LoadReport:
    """Loads weights into a model, all that belong to it or none.

    A classifier with another number of classes, or none on one side, is left out; the
    first convolution is adapted to another number of input channels as in timm. What
    was left out or adapted is in the report and, in one line, in the log of
    `"se_keras.weights"`. The preprocessing and the names of the classes that belong to
    the weights become those of the model; with a classifier whose classes have no
    names, the model has none either.

    Layers before the network (`create_model(..., input_tensor=...)`) keep their
    weights.

    Args:
        model: The model that receives the weights, with the layer names of this
            package: whole, without its top, or a pyramid.
        source: One of
            - the path of a `.safetensors` file or a file of `torch.save` (`.pth`,
              `.pt`, `.bin`, Lightning's `.ckpt`) with the keys of timm, current or
              legacy; a `config.json` of timm in the same directory states the network
              and the preprocessing.
              What a training script saves together with the weights is left out; of
              several state dicts in the file the one that fits is loaded, and if
              several fit, `"PATH:NAME"` chooses: `"last.pth:ema_state_dict"`;
            - a state dict with these keys, of arrays or tensors;
            - `"timm/NAME.TAG"`, downloaded from the Hugging Face hub or in its cache;
            - the path of a `.keras` or `.weights.h5` file of this package.

    Returns:
        A `LoadReport`.

    Raises:
        ValueError: If the source cannot be read or does not fit the model; it then
            names the first keys that differ, and the network that the source does
            fit. The model's weights are what they were before.

    Example:

    ```python
    model = se_keras.create_model("se_resnet50", classes=10)
    report = se_keras.weights.load(model, "timm/seresnet50.a1_in1k")
    print(report)
    ```
    """
    if not isinstance(model, keras.Model):
        raise UsageError(
            "Argument `model` must be a `keras.Model`. "
            f"Received: {type(model).__name__}"
        )
    network = inventory.of_model(model)
    with _open(source, functools.partial(_fits, network)) as checkpoint:
        found = match(network, checkpoint)
        if found.problems or not same_traits(network, checkpoint):
            raise UsageError(_misfit(model, found, checkpoint))
        values = [
            (slot.variable, converted(slot, key, checkpoint))
            for slot, key in found.pairs
        ]
        remarks = [*checkpoint.info.remarks, *_remarks(network, checkpoint)]
    # From here on nothing is read and nothing compared, and nothing can fail.
    for variable, value in values:
        variable.assign(value)  # type: ignore[union-attr]  # it is built
    remarks += _set_class_names(model, checkpoint.info, found)
    report = LoadReport(
        checkpoint.info,
        tuple(slot.path for slot, _ in found.pairs),
        found.skipped,
        found.adapted,
        _set_preprocessing(model, checkpoint.info),
        tuple(remarks),
        checkpoint.state_dict,
    )
    _logger.log(
        logging.WARNING
        if report.skipped or report.adapted or report.remarks
        else logging.INFO,
        "%s",
        report,
    )
    return report


def info(source: str | pathlib.Path) -> WeightsInfo:
    """Returns what is known of weights: networks, license, accuracy, preprocessing.

    Args:
        source: What `load` takes: the path of a file, or `"timm/NAME.TAG"`; then the
            hub's own config is used where it can be reached.

    Raises:
        ValueError: If the file cannot be read, or there is no such network; or the
            hub cannot be reached and the table here does not know the weights.

    Example:

    >>> info("timm/seresnet50.a1_in1k").networks
    ('se_resnet50',)
    """
    if _is_hub_name(source):
        return hub.info_of(source)
    with _open(source, lambda found: bool(fitting_networks(found))) as checkpoint:
        return dataclasses.replace(
            checkpoint.info,
            networks=tuple(fitting_networks(checkpoint)),
            classes=checkpoint.classes,
        )


def _is_hub_name(source) -> TypeGuard[str]:
    return hub.is_hub_name(source) and not suffix_of(source)


@contextlib.contextmanager
def _open(source, fits: Callable[[Checkpoint], bool]):
    """Gives the checkpoint of a source with the one state dict of it that fits."""
    with _checkpoint(source) as checkpoint:
        yield with_named_network(_chosen(checkpoint, fits))


def _chosen(checkpoint, fits):
    """Returns a checkpoint with the state dict that fits.

    If none fits it is the one that the error is about.

    Raises:
        UsageError: If several fit equally.
    """
    alternatives = checkpoint.alternatives()
    found = [each for each in alternatives if fits(each)]
    if not found:
        parts = [part for each in alternatives for part in each.parts()]
        found = [part for part in parts if fits(part)]
    if not found:
        # Of the same size: copies of one network, whichever it is.
        size = len(checkpoint.arrays)
        found = [each for each in alternatives if len(each.arrays) == size]
    if len(found) > 1:
        averaged = [each for each in found if each.state_dict in AVERAGED]
        if len(averaged) != 1:
            names = [f"{checkpoint.info.source}:{each.state_dict}" for each in found]
            raise UsageError(
                f"Expected a source with one state dict, or PATH:NAME: "
                f"{' or '.join(map(repr, names[:SHOWN]))}. "
                f"Received: {checkpoint.info.source!r}, where {len(found)} fit"
            )
        found = averaged
    return found[0]


def _fits(network, checkpoint):
    named = with_named_network(checkpoint)
    return same_traits(network, named) and not match(network, named).problems


def _checkpoint(source):
    if isinstance(source, Mapping):
        return contextlib.nullcontext(from_state_dict(source))
    if _is_hub_name(source):
        return hub.open_hub(source)
    if isinstance(source, str | pathlib.Path):
        return open_file(source)
    raise UsageError(
        "Argument `weights` must be a path, a state dict or a name such as "
        f"'timm/seresnet50.a1_in1k'. Received: {type(source).__name__}"
    )


def _misfit(model, found, checkpoint):
    """Returns the text of the error: what differs, and which network would fit."""
    difference = (
        f"The keys of these differ: {'; '.join(found.problems)}."
        if found.problems
        else "These have its shapes and are of a network that computes something else."
    )
    networks = fitting_networks(checkpoint)
    hint = f" They fit {' and '.join(map(repr, networks))}." if networks else ""
    return (
        f"Expected the weights of {model.name!r}. {difference}{hint} "
        f"Received: {checkpoint.info.source!r}"
    )


def _remarks(network, checkpoint):
    """Returns what the weights leave open about their network."""
    names = twins(network, checkpoint)
    if not names:
        return []
    also = " and ".join(map(repr, names))
    return [
        f"they also fit {also}, with the same weights and another result; nothing "
        "with them states of which network they are"
    ]


def _set_class_names(model, info, found):
    """Gives a model the classes of its classifier; returns what to report."""
    has_classifier = any(slot.layer == CLASSIFIER for slot, _ in found.pairs)
    if not has_classifier or not hasattr(model, "class_names"):
        return []
    had, model.class_names = model.class_names, info.class_names
    if model.class_names or not had:
        return []
    return [
        f"the model's class names ({had[0]!r}, ...) are dropped: the classifier is "
        "another, and its classes have no names in the source"
    ]


def _set_preprocessing(model, info):
    """Gives a model the images of its weights, where it can have them.

    Returns:
        The preprocessing, or `None` if the model keeps its own.
    """
    size = image_shape(model)
    if not hasattr(model, "preprocessing") or size is None:
        return None
    preprocessing = info.preprocessing_for(*size)
    if preprocessing:
        model.preprocessing = preprocessing
    return preprocessing
