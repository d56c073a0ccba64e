"""The cost of a network: parameters and multiply-adds, counted layer by layer."""

import dataclasses
import math
import numbers
from typing import Any

import keras

from se_keras.analysis.formulas import multiply_adds
from se_keras.layers import Gate
from se_keras.models.recognition import declared_structure

# Names of the weights of BatchNormalization and Normalization that are no parameters.
STATISTICS = ("moving_mean", "moving_variance", "mean", "variance", "count")


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """One call of one layer.

    Attributes:
        name: Name of the layer, after those of the nested models that it is in:
            `"backbone/conv1"`.
        class_name: Name of its class.
        output_shape: Shape of its first output, without the batch.
        parameters: Numbers in its weights that training sets, without the running
            statistics of normalization; 0 in a further call of a shared layer.
        multiply_adds: Multiply-adds for one image; `None` if there is no formula.
        is_gate: Whether it is one of this package's attention layers.
        part: The part of the network that it is in: the block that the network's
            `Structure` declares; in other models a group of layers between two
            tensors through which everything passes.
    """

    name: str
    class_name: str
    output_shape: tuple[int | None, ...]
    parameters: int
    multiply_adds: int | None
    is_gate: bool
    part: str = ""


@dataclasses.dataclass(frozen=True)
class Complexity:
    """The cost of a network for one image.

    Attributes:
        name: Name of the model.
        input_shapes: Shape of each input, without the batch.
        layers: One `LayerCost` for each call of a layer, in the order of computation.
    """

    name: str
    input_shapes: tuple[tuple[int | None, ...], ...]
    layers: tuple[LayerCost, ...]

    @property
    def parameters(self) -> int:
        """Numbers in all weights but running statistics, each weight once.

        It is the published count; Keras's `count_params` adds the statistics.
        """
        return _parameters(self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of all layers but the `uncounted`."""
        return _multiply_adds(self.layers)

    @property
    def gate_parameters(self) -> int:
        """The gates' part of `parameters`."""
        return _parameters(self.gates)

    @property
    def gate_multiply_adds(self) -> int:
        """The gates' part of `multiply_adds`."""
        return _multiply_adds(self.gates)

    @property
    def gates(self) -> tuple[LayerCost, ...]:
        """The rows of the gates."""
        return tuple(layer for layer in self.layers if layer.is_gate)

    @property
    def uncounted(self) -> tuple[LayerCost, ...]:
        """The rows whose class has no formula: their multiply-adds are unknown."""
        return tuple(layer for layer in self.layers if layer.multiply_adds is None)

    @property
    def parts(self) -> dict[str, tuple[LayerCost, ...]]:
        """The rows of each part, in the order of computation."""
        found = {}
        for layer in self.layers:
            found.setdefault(layer.part, []).append(layer)
        return {part: tuple(layers) for part, layers in found.items()}

    def table(self) -> str:
        """Returns the cost by block as text, with totals and the part of the gates."""
        rows = [
            _row(part, layers[-1].output_shape, layers)
            for part, layers in self.parts.items()
            if _parameters(layers) or _multiply_adds(layers)
        ]
        total = _row("total", "", self.layers)
        sizes = " and ".join(_format_shape(shape) for shape in self.input_shapes)
        lines = [f"{self.name}, input {sizes}", "", *_align(HEADER, rows, total), ""]
        for what, part, whole in (
            ("parameters", self.gate_parameters, self.parameters),
            ("multiply-adds", self.gate_multiply_adds, self.multiply_adds),
        ):
            share = 100 * part / max(whole, 1)
            lines.append(f"Gates: {part:,} of {whole:,} {what} ({share:.3g}%)")
        if self.uncounted:
            names = [f"{layer.name} ({layer.class_name})" for layer in self.uncounted]
            lines.append(f"Multiply-adds not counted: {', '.join(names)}")
        return "\n".join(lines)


def complexity(model: keras.Model, input_shape: Any = None) -> Complexity:
    """Counts the parameters and multiply-adds of a model, layer by layer.

    Counted are the multiply-adds of convolutions and fully connected layers, as
    published costs of networks count them (the "FLOPs" of the SE paper, tables 2 and
    3): one multiply-add for each weight and position where it is used, padded
    positions too. Biases, normalization, activations, pooling, and the squeeze and the
    scaling of a gate count as 0. Layers with weights whose class has no formula, and
    products of matrices outside of layers, are in `uncounted`.

    The paper's figures for SE networks fit best with one multiply-add more for each
    value that a gate squeezes and scales: 0.1% of ResNet-50, 0.5% of MobileNet.

    A shared layer counts once for each call. Layers of nested models are counted one by
    one.

    Args:
        model: A functional or Sequential model.
        input_shape: Shape of the input without the batch, `(height, width, channels)`,
            for a model whose sizes are unknown; for inputs that differ a dictionary of
            shapes by name. Defaults to the model's own.

    Returns:
        A `Complexity`: totals, a row for each layer, and `table()` as text.

    Raises:
        ValueError: If the model has no graph of layers, a size is unknown, or
            `input_shape` does not fit the model.

    Example:

    ```python
    cost = se_keras.analysis.complexity(create_model("se_resnet50"))
    print(cost.multiply_adds, cost.gate_parameters / cost.parameters)
    print(cost.table())
    ```
    """
    if not _has_graph(model):
        raise ValueError(
            "Expected a functional or Sequential model that is built. "
            f"Received: model={model!r}"
        )
    inputs = _input_specs(model, input_shape)
    trace = _Trace(batch=inputs[0].shape[0])
    trace.run(model, inputs)
    shapes = tuple(tuple(spec.shape[1:]) for spec in inputs)
    rows = _with_parts(trace.rows, trace.calls)
    return Complexity(model.name, shapes, tuple(rows))


class _Trace:
    """Sends shapes through a graph and notes what each call costs."""

    def __init__(self, batch: int):
        self.batch = batch
        self.rows = []
        self.calls = []
        self.seen = set()

    def run(self, model, inputs, prefix=""):
        """Returns the outputs of a model, as Keras tensors without history."""
        parts = _declared_parts(model)

        def step(operation):
            part = parts.get(operation.name, "")
            return lambda *args, **kwargs: self.call(
                operation, prefix, part, args, kwargs
            )

        if isinstance(model, keras.Sequential):
            x = keras.tree.flatten(inputs)[0]
            for layer in model.layers:
                x = step(layer)(x)
            return x
        # Keras's own walk over shared layers, nested arguments and unused nodes.
        return model._run_through_graph(inputs, operation_fn=step)

    def call(self, operation, prefix, part, args, kwargs):
        if _has_graph(operation):
            inputs = (*args, *kwargs.values())[0]
            return self.run(operation, inputs, f"{prefix}{operation.name}/")
        outputs = operation.compute_output_spec(*args, **kwargs)
        self.calls.append((_tensors((args, kwargs)), _tensors(outputs)))
        into, out = _first_shape((args, kwargs)), _first_shape(outputs)
        cost = multiply_adds(operation, into, out)
        self.rows.append(
            LayerCost(
                name=f"{prefix}{operation.name}",
                class_name=type(operation).__name__,
                output_shape=out[1:],
                parameters=self.new_parameters(operation),
                multiply_adds=None if cost is None else cost // self.batch,
                is_gate=isinstance(operation, Gate),
                part=part and f"{prefix}{part}",
            )
        )
        return outputs

    def new_parameters(self, operation) -> int:
        """Returns the size of the parameters that no earlier call had."""
        weights = {
            id(weight): weight
            for weight in getattr(operation, "weights", ())
            # By name: whether a weight is trainable is a matter of fine-tuning.
            if weight.name not in STATISTICS
        }
        new = weights.keys() - self.seen
        self.seen |= new
        return sum(math.prod(weights[key].shape) for key in new)


def _has_graph(model) -> bool:
    if isinstance(model, keras.Sequential):
        return bool(model.built and model.inputs)
    return isinstance(model, keras.Function)


def _tensors(structure) -> list:
    flat = keras.tree.flatten(structure)
    return [tensor for tensor in flat if isinstance(tensor, keras.KerasTensor)]


def _first_shape(structure) -> tuple:
    return next((tuple(tensor.shape) for tensor in _tensors(structure)), ())


def _input_specs(model, input_shape) -> list:
    """Returns a Keras tensor for each input; an unknown batch is 1."""
    own = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    given = input_shape or {}
    if not isinstance(given, dict):
        given = dict.fromkeys(own, given)
    if not all(_fits(shape, own.get(name)) for name, shape in given.items()):
        raise ValueError(
            "Argument `input_shape` must be a shape without the batch, or a dictionary "
            f"of shapes by name, that fits the model's inputs {own}. "
            f"Received: input_shape={input_shape}"
        )
    return [
        keras.KerasTensor(
            (tensor.shape[0] or 1, *given.get(tensor.name, own[tensor.name])),
            dtype=tensor.dtype,
        )
        for tensor in model.inputs
    ]


def _fits(shape, own) -> bool:
    if own is None or not isinstance(shape, tuple | list) or len(shape) != len(own):
        return False
    return all(
        isinstance(size, numbers.Integral) and int(size) > 0 and known in (None, size)
        for size, known in zip(shape, own, strict=True)
    )


def _parameters(layers) -> int:
    return sum(layer.parameters for layer in layers)


def _multiply_adds(layers) -> int:
    return sum(layer.multiply_adds or 0 for layer in layers)


HEADER = ("part", "output", "parameters", "of gates", "multiply-adds", "of gates")


def _declared_parts(model) -> dict[str, str]:
    """Returns the part that each operation is in, if the model declares its parts."""
    structure = declared_structure(model)
    if structure is None:
        return {}
    declared = {
        # Each layer of the head is a part of its own.
        layer: layer if part.stage is None else part.name
        for layer, part in structure.part_of.items()
    }
    found, last = {}, None
    for operation in model.operations:
        # What was added later belongs to the part before it.
        last = declared.get(operation.name, last)
        if last:
            found[operation.name] = last
    return found


def _with_parts(rows, calls) -> list[LayerCost]:
    """Groups the rows that have no declared part.

    A group ends where all that follows depends on one operation alone. Parallel
    branches are a group with the name of the operation that joins them; in a chain each
    layer that costs something is a group, with what follows it.

    Args:
        rows: The rows in the order of computation.
        calls: For each row the tensors that it takes and those that it returns.
    """
    last_use = {
        id(tensor): index
        for index, (inputs, _) in enumerate(calls)
        for tensor in inputs
    }
    found, group, needed, name = [], [], -1, ""
    for index, (row, (_, outputs)) in enumerate(zip(rows, calls, strict=True)):
        group.append(row)
        if needed <= index:
            costs = row.is_gate or row.multiply_adds != 0
            if len(group) > 1 or costs or not name:
                name = row.name
            found += [dataclasses.replace(r, part=r.part or name) for r in group]
            group = []
        uses = [last_use.get(id(tensor), -1) for tensor in outputs]
        needed = max(needed, *uses) if uses else needed
    return found + [dataclasses.replace(r, part=r.part or name) for r in group]


def _row(part, shape, layers) -> tuple:
    gates = [layer for layer in layers if layer.is_gate]
    counts = [
        f"{count(of):,}"
        for count in (_parameters, _multiply_adds)
        for of in (layers, gates)
    ]
    return (part, _format_shape(shape), *counts)


def _format_shape(shape) -> str:
    return "x".join("?" if size is None else str(size) for size in shape)


def _align(header, rows, total) -> list[str]:
    """Returns lines of equal width: words on the left, numbers on the right."""
    cells = [header, *rows, total]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    rule = "-" * len(lines[0])
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]
