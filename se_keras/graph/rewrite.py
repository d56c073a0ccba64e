"""The graph of a functional model as data: read it, change it, build the new model."""

import collections
import copy
import itertools
import types
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import keras
from keras.src.backend import get_keras_mask

from se_keras.graph.copiers import Copy, name_copiers, reason
from se_keras.graph.functional import as_functional, is_functional
from se_keras.graph.state import check_weights_in_common, copy_states, model_pairs

KERAS_TENSOR = "__keras_tensor__"


class Ref(NamedTuple):
    """A tensor of a graph, named as Keras names it in the config of a model.

    Attributes:
        operation: Name of the layer or operation that returns the tensor.
        call: Which call of it: a shared layer has several.
        index: Which of its outputs.
    """

    operation: str
    call: int = 0
    index: int = 0  # type: ignore[assignment]  # hides that of the tuple


class Graph:
    """The graph of a functional model, which can be changed and built again.

    The config of a functional model holds every call of every operation with its
    arguments. A `Graph` edits that config and leaves the rest to Keras: whatever can
    be saved and loaded can be rewritten, with shared layers, nested inputs and
    outputs, operations of `keras.ops`, masks, submodels (one operation each) and
    subclasses of `keras.Model`. The model that is read is never touched.

    Args:
        model: A functional model, or a built `keras.Sequential` model, which becomes
            functional.

    Attributes:
        model: The functional model that was read.
        operations: Its layers and operations by name, in the order of the graph.
        copies: After `build`, those of the new model, by the same names.

    Raises:
        ValueError: If the model has no graph.

    Example:

    ```python
    graph = Graph(model)
    graph.insert_after("conv1", SqueezeExcite(name="conv1_se"))
    graph.bypass("dropout")
    model = graph.build()
    ```
    """

    def __init__(self, model: keras.Model):
        self.model = as_functional(model)
        self.operations = {op.name: op for op in self.model.operations}
        self._config = copy.deepcopy(self.model.get_config())
        if "output_layers" not in self._config:
            raise ValueError(
                f"The config of class {type(model).__name__} does not describe the "
                "graph of the model. Pass `keras.Model(model.input, model.output)` in "
                f"its place. Received: a model named {model.name!r}"
            )
        # True would make layers trainable that are frozen each for itself.
        self._config["trainable"] = None if model.trainable else False
        self._inserted = {}
        self.copies: dict[str, keras.Operation] = {}
        self._entries = {entry["name"]: entry for entry in self._config["layers"]}
        self._specs = {
            _ref(tensor): (tensor["config"]["shape"], tensor["config"]["dtype"])
            for entry in self._entries.values()
            for tensor in _tensors(entry["inbound_nodes"])
        }
        for ref, tensor in zip(self.outputs, self.model.outputs, strict=True):
            self._specs[ref] = (tensor.shape, tensor.dtype)

    @property
    def outputs(self) -> list[Ref]:
        """The tensors that the model returns, in the order of `model.outputs`."""
        refs = {}
        self._map_outputs(lambda ref, tensor: refs.setdefault(id(tensor), ref))
        return [refs[id(tensor)] for tensor in self.model.outputs]

    def calls(self, name: str) -> int:
        """Returns how often the model calls an operation."""
        # The config of an input holds no call.
        return len(self._entries[name]["inbound_nodes"]) or 1

    def has_argument(self, name: str, argument: str) -> bool:
        """Whether a call of an operation has an argument, by name, that is true."""
        nodes = self._entries[name]["inbound_nodes"]
        return any(node["kwargs"].get(argument) for node in nodes)

    def has_mask(self, name: str) -> bool:
        """Whether a call of an operation takes a mask, or a tensor that has one."""
        return self.has_argument(name, "mask") or any(
            get_keras_mask(tensor) is not None
            for node in self.operations[name]._inbound_nodes
            for tensor in node.input_tensors
        )

    def inputs(self, name: str) -> list[list[Ref]]:
        """Returns the tensors among the arguments of each call of an operation."""
        return [
            [_ref(tensor) for tensor in _tensors(node)]
            for node in self._entries[name]["inbound_nodes"]
        ]

    def consumers(self, ref: Ref) -> list[tuple[str, int]]:
        """Returns name and call of the operations that take a tensor."""
        return [
            (name, call)
            for name in self._entries
            for call, inputs in enumerate(self.inputs(name))
            if ref in inputs
        ]

    def spec(self, ref: Ref) -> keras.KerasTensor:
        """Returns shape and dtype of a tensor that an operation or the model uses."""
        return keras.KerasTensor(*self._specs[ref])

    def upstream(self, name: str) -> Iterator[keras.Operation]:
        """Yields an operation and all before it, the nearest first.

        After a submodel its layers follow, from the last to the first.
        """
        queue, seen = collections.deque([name]), {name}
        while queue:
            name = queue.popleft()
            operation = self.operations[name]
            yield operation
            if isinstance(operation, keras.Model):
                yield from reversed(operation.layers)
            for tensor in _tensors(self._entries[name]["inbound_nodes"]):
                before = _ref(tensor).operation
                if before not in seen:
                    seen.add(before)
                    queue.append(before)

    def insert_after(self, name: str, layer: keras.Layer) -> None:
        """Inserts a layer after every call of an operation that has one output.

        Args:
            name: Name of the operation.
            layer: A layer that keeps the shape, with a name that the graph does not
                have. Its config goes into the graph, not the layer itself.
        """
        if layer.name in self._entries:
            raise ValueError(
                "Expected a layer whose name is new to the model. "
                f"Received: {layer.name!r}"
            )
        nodes = []
        for call in range(self.calls(name)):
            before, after = Ref(name, call), Ref(layer.name, call)
            self.replace(before, after)
            self._specs[after] = self._specs[before]
            nodes.append({"args": (self._tensor(before),), "kwargs": {}})
        entry = {
            **keras.saving.serialize_keras_object(layer),
            "name": layer.name,
            "inbound_nodes": nodes,
        }
        # Keras creates the calls in the order of the config: anywhere else would cost
        # it one more pass over all layers.
        position = self._config["layers"].index(self._entries[name]) + 1
        self._config["layers"].insert(position, entry)
        self._entries[layer.name] = entry
        self._inserted[layer.name] = layer
        # The layers of a frozen model stay frozen, each for itself; the new one is not.
        self._config["trainable"] = None

    def call(self, layer: keras.Layer, inputs) -> Ref:
        """Adds a call of a new layer.

        Args:
            layer: A layer with one output, with a name that the graph does not have.
                Its config goes into the graph, not the layer itself.
            inputs: The tensors that it takes: a `Ref` or a list of them.

        Returns:
            Its output.
        """
        if layer.name in self._entries:
            raise ValueError(
                "Expected a layer whose name is new to the model. "
                f"Received: {layer.name!r}"
            )
        refs = inputs if isinstance(inputs, list) else [inputs]
        tensors = [self._tensor(ref) for ref in refs]
        output = Ref(layer.name)
        specs = [self.spec(ref) for ref in refs]
        spec = layer.compute_output_spec(
            specs if isinstance(inputs, list) else specs[0]
        )
        self._specs[output] = (spec.shape, spec.dtype)
        arguments = tensors if isinstance(inputs, list) else tensors[0]
        entry = {
            **keras.saving.serialize_keras_object(layer),
            "name": layer.name,
            "inbound_nodes": [{"args": (arguments,), "kwargs": {}}],
        }
        # Keras creates the calls in the order of the config, and passes over it again
        # for those whose inputs come later.
        places = [
            self._config["layers"].index(self._entries[r.operation]) for r in refs
        ]
        self._config["layers"].insert(max(places) + 1, entry)
        self._entries[layer.name] = entry
        self._inserted[layer.name] = layer
        return output

    def configure(self, name: str, **config) -> None:
        """Changes arguments of a layer; its outputs must keep their shapes."""
        self._entries[name]["config"].update(config)

    def exchange(self, name: str, submodel: keras.Model) -> None:
        """Replaces a submodel by a functional model.

        Args:
            name: Name of the submodel.
            submodel: A model of the same name, inputs and outputs.
        """
        outputs = {
            id(tensor): ref
            for tensor, ref in zip(self.model.outputs, self.outputs, strict=True)
        }
        self._entries[name].update(keras.saving.serialize_keras_object(submodel))
        self.operations[name] = submodel
        # Its calls may be counted otherwise than those of the old one.
        self._config["output_layers"] = self._map_outputs(
            lambda _, tensor: outputs[id(tensor)]
        )

    def unused_name(self, name: str) -> str:
        """Returns a name that the graph does not have: that given, or with a number."""
        names = (f"{name}_{number}" if number else name for number in itertools.count())
        return next(each for each in names if each not in self._entries)

    def remove(self, name: str) -> None:
        """Takes out an operation whose outputs nothing takes."""
        self._config["layers"].remove(self._entries.pop(name))

    def bypass(self, name: str) -> None:
        """Takes out an operation that has one input and one output."""
        for call, inputs in enumerate(self.inputs(name)):
            if len(inputs) != 1:
                raise ValueError(
                    "Expected an operation with one input. Received: "
                    f"{name!r} with {len(inputs)} inputs"
                )
            self.replace(Ref(name, call), inputs[0])
        self.remove(name)

    def replace(self, old: Ref, new: Ref) -> None:
        """Makes all that took the tensor `old` take `new`."""

        def swap(tensor):
            if _ref(tensor) != old:
                return tensor
            return {**tensor, "config": {**tensor["config"], "keras_history": [*new]}}

        for entry in self._entries.values():
            entry["inbound_nodes"] = _map_tensors(swap, entry["inbound_nodes"])
        self._config["output_layers"] = self._map_outputs(
            lambda ref, _: new if ref == old else ref
        )

    def build(
        self,
        name: str | None = None,
        weights: Mapping[str, list] = types.MappingProxyType({}),
    ) -> keras.Model:
        """Builds the graph.

        Args:
            name: Name of the new model. Defaults to that of the old one.
            weights: Arrays for the layers that have others than in the old model, by
                the name of the layer.

        Returns:
            A model of the same class, not compiled, with layers of its own. The copy of
            an old one has its name, its weights, its other state and its flags.

        Raises:
            ValueError: If Keras cannot make a layer again from its config, or its copy
                has other variables; if two layers have a weight in common.
        """
        check_weights_in_common(self.model)
        config = copy.deepcopy(self._config)
        if name is not None:
            config["name"] = name
        sources = self.operations | self._inserted
        copies: list[Copy] = []
        copiers = name_copiers(
            config["layers"],
            [sources[entry["name"]] for entry in config["layers"]],
            copies,
        )
        with keras.saving.custom_object_scope(copiers):
            try:
                model = type(self.model).from_config(config)
            except TypeError as error:  # what Keras raises for an unknown class
                raise ValueError(
                    "Expected layers that Keras can make again from their config. "
                    f"Received: {self.model.name!r} ({reason(error)})"
                ) from error
        self.copies = {each.path[0]: each.copy for each in copies if not each.path[1:]}
        pairs = [(self.model, model)]
        for each in copies:
            known = each.path[0] in weights or each.path[0] in self._inserted
            if known or not isinstance(each.source, keras.Layer):
                continue
            if each.is_container:
                pairs.append((each.source, each.copy))
            else:
                pairs += model_pairs(each.source, each.copy)
        copy_states(pairs)
        for layer, arrays in weights.items():
            self.copies[layer].set_weights(arrays)
        return model

    def _tensor(self, ref: Ref) -> dict:
        shape, dtype = self._specs[ref]
        config = {"shape": shape, "dtype": dtype, "keras_history": [*ref]}
        return {"class_name": KERAS_TENSOR, "config": config}

    def _map_outputs(self, function):
        """Returns the config of the outputs with another `Ref` for each.

        Args:
            function: Returns the new `Ref`, from that of an output and from the output.
        """

        def convert(tensor, leaf):
            ref = function(self._shift(Ref(*leaf), -1), tensor)
            return [*self._shift(ref, 1)]

        # The leaves of this config are lists, so only the outputs themselves show
        # where its structure ends.
        return keras.tree.map_structure_up_to(
            self.model.output, convert, self.model.output, self._config["output_layers"]
        )

    def _shift(self, ref: Ref, by: int) -> Ref:
        # In the outputs of a config, and only there, Keras counts the calls of a
        # functional submodel from 1.
        if is_functional(self.operations.get(ref.operation)):
            return ref._replace(call=ref.call + by)
        return ref


def _ref(tensor: dict) -> Ref:
    return Ref(*tensor["config"]["keras_history"])


def _tensors(value) -> list[dict]:
    """Returns the tensors in the config of arguments, in order."""
    found = []

    def add(tensor):
        found.append(tensor)
        return tensor

    _map_tensors(add, value)
    return found


def _map_tensors(function, value):
    """Returns the config of arguments with `function` applied to each tensor."""
    if isinstance(value, dict):
        if "class_name" in value:
            return function(value) if value["class_name"] == KERAS_TENSOR else value
        return {key: _map_tensors(function, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_map_tensors(function, item) for item in value)
    return value
