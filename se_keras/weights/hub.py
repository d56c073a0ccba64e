"""Weights on the Hugging Face hub."""

import contextlib
import dataclasses
import difflib
import pathlib
import re

from se_keras.errors import UsageError
from se_keras.models.registry import lookup
from se_keras.weights import inventory, published
from se_keras.weights.checkpoint import open_file
from se_keras.weights.names import from_timm_name, to_timm_name
from se_keras.weights.published import HUB, PUBLISHED, WeightsInfo

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"

# Seconds to wait for a first answer of the hub.
TIMEOUT = 5


def is_hub_name(source) -> bool:
    """Whether `weights=` names weights on the hub."""
    return isinstance(source, str) and source.startswith(HUB)


def network_of(source: str) -> str:
    """Returns our name of the network in a name such as `"timm/seresnet50.a1_in1k"`.

    Raises:
        ValueError: If there is no tag or no such network, with the nearest names.
    """
    match = re.fullmatch(re.escape(HUB) + r"(\w+)\.(\w+)", source)
    if not match:
        raise UsageError(
            f"Expected a network and a tag, '{HUB}NETWORK.TAG'.{_nearest(source)} "
            f"Received: {source!r}"
        )
    name = from_timm_name(match[1])
    # A name that does not come back is of a network that timm does not have.
    with contextlib.suppress(ValueError):
        if to_timm_name(name) == match[1]:
            return name
    raise UsageError(
        f"Expected weights of a network of this package. {match[1]!r} is not one."
        f"{_nearest(source)} Received: {source!r}"
    )


@contextlib.contextmanager
def open_hub(source: str):
    """Gives the `Checkpoint` of weights on the hub, downloaded or from its cache.

    Raises:
        ValueError: If there are no such weights, or no network and no copy of them.
    """
    info = info_of(source, download=False)
    if info.file:
        raise UsageError(
            "The hub has no copy of these weights. Download "
            f"{info.file} and give its path: weights='PATH'. Received: {source!r}"
        )
    path = _download(source, WEIGHTS_FILE)
    # It is in the same directory then, and is read with the weights.
    with contextlib.suppress(UsageError):
        _download(source, CONFIG_FILE)
    network = inventory.of_network(lookup(info.networks[0]))
    with open_file(path) as file:
        # The name is more precise than the config.
        found = {
            field: value
            for field, value in vars(file.info).items()
            if value and field not in ("source", "networks")
        }
        info = dataclasses.replace(info, **found)
        traits = network.traits if network else None
        yield dataclasses.replace(file, info=info, traits=traits)


def info_of(source: str, download: bool = True) -> WeightsInfo:
    """Returns what is known of weights on the hub.

    Args:
        source: `"timm/NETWORK.TAG"`.
        download: Whether to ask the hub in addition to the table.

    Raises:
        ValueError: If there is no such network; or the hub is asked, has no such
            weights or cannot be reached, and the table does not know them.
    """
    network = network_of(source)
    info = PUBLISHED.get(source, WeightsInfo(source, networks=(network,)))
    if not download or info.file:
        return info
    try:
        path = _download(source, CONFIG_FILE)
    except UsageError as error:
        if source in PUBLISHED:
            return dataclasses.replace(info, remarks=(_instead(error),))
        if isinstance(error, _NoConnectionError):
            raise UsageError(
                "Expected a connection to the hub, and there is none, or weights that "
                f"the table of this package has.{_known(network)} Received: {source!r}"
            ) from error
        raise
    # The name is more precise than the config.
    return dataclasses.replace(
        published.with_timm_config(info, path), networks=(network,)
    )


def _instead(error):
    reason = (
        "the hub could not be reached"
        if isinstance(error, _NoConnectionError)
        else f"the hub's config could not be read ({error})"
    )
    return f"{reason}; this is what se_keras knows"


def _known(network):
    """Returns a sentence with the weights of a network that the table has."""
    known = [info.source for info in PUBLISHED.values() if network in info.networks]
    return f" For {network!r} it has {', '.join(known) or 'none'}."


class _NoConnectionError(UsageError):
    """The hub cannot be reached."""


def _download(source: str, filename: str) -> pathlib.Path:
    """Returns the path of a file of the hub in its cache."""
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise UsageError(
            "Weights on the hub need the packages `huggingface_hub` and `safetensors`: "
            f"`pip install huggingface_hub safetensors`. Received: {source!r}"
        ) from error
    address = f"https://huggingface.co/{source}/resolve/main/{filename}"
    try:
        _expect_connection(source, filename)
        return pathlib.Path(huggingface_hub.hf_hub_download(source, filename))
    except errors.LocalEntryNotFoundError as error:
        raise _NoConnectionError(
            f"Expected a connection to the hub, and there is none, nor a copy of "
            f"{filename} in its cache. Download {address} where there is one, and give "
            f"its path: weights='PATH/{filename}'. Received: {source!r}"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UsageError(
            f"Expected weights that are on the hub.{_nearest(source)} "
            f"Received: {source!r}"
        ) from error
    except errors.EntryNotFoundError as error:
        raise UsageError(
            f"Expected weights with a file {filename} on the hub; no other is read. "
            f"Received: {source!r}"
        ) from error
    # The libraries under it have errors of their own.
    except Exception as error:
        raise UsageError(
            f"The download of {address} failed: {error}. Received: {source!r}"
        ) from error


def _expect_connection(source, filename):
    """Asks the hub once for a file that is not in the cache.

    The download itself tries for half a minute where there is no network.

    Raises:
        LocalEntryNotFoundError: If the hub cannot be reached.
        RepositoryNotFoundError: If it has no such weights.
        EntryNotFoundError: If it has no such file.
    """
    import huggingface_hub
    from huggingface_hub import errors

    if isinstance(huggingface_hub.try_to_load_from_cache(source, filename), str):
        return
    try:
        huggingface_hub.get_hf_file_metadata(
            huggingface_hub.hf_hub_url(source, filename), timeout=TIMEOUT
        )
    except (errors.RepositoryNotFoundError, errors.EntryNotFoundError):
        raise
    except errors.HfHubHTTPError:
        # An answer, if a bad one; the download deals with it.
        return
    except Exception as error:
        raise errors.LocalEntryNotFoundError(str(error)) from error


def _nearest(source):
    nearest = difflib.get_close_matches(source, PUBLISHED, n=3, cutoff=0.75)
    return f" Did you mean {' or '.join(nearest)}?" if nearest else ""
