"""A model of how training scales, from 1 GPU to 1024. Nothing here is measured.

    python benchmarks/scaling_model.py
    python benchmarks/scaling_model.py --service --sync_batch_norm
    python benchmarks/scaling_model.py --network_gbit=400 --batch=256

A step takes as long as the slower of two things that overlap: preparing its images, and
computing it. Computing is forward and backward on each GPU, then the all-reduce of the
gradients, which is counted in full although part of it overlaps with the backward pass.
"""

import argparse
import dataclasses
import math

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """What the model takes for granted; each is a flag.

    Attributes:
        images_per_second: Of one GPU without the others, input for free.
        batch: Images of a step on one GPU.
        parameters: Of the network; each has a gradient of 4 bytes. SE-ResNet-50's.
        batch_norms: Layers; their channels go twice through an all-reduce of their own
            if batch norm is synchronized. ResNet-50's.
        gpus_per_machine: GPUs that share a machine.
        gpu_link_gbyte: All-reduce bandwidth within a machine, GB/s.
        network_gbit: Network of a machine, Gbit/s.
        network_efficiency: Share of it that an all-reduce gets.
        latency_us: Of one exchange between machines, microseconds.
        cores: Of a machine, for its input.
        images_per_core: Training images that a core prepares in a second.
        image_kbyte: An encoded image.
        read_gbit: What a machine reads from storage, Gbit/s.
    """

    images_per_second: float = 2000
    batch: int = 128
    parameters: int = 28_088_024
    batch_norms: int = 53
    gpus_per_machine: int = 8
    gpu_link_gbyte: float = 200
    network_gbit: float = 100
    network_efficiency: float = 0.8
    latency_us: float = 25
    cores: int = 96
    images_per_core: float = 890
    image_kbyte: float = 110
    read_gbit: float = 100


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of the model, in seconds."""

    compute: float
    all_reduce: float
    batch_norm: float
    decode: float
    read: float

    @property
    def seconds(self) -> float:
        """How long it takes."""
        computing = self.compute + self.all_reduce + self.batch_norm
        return max(computing, self.decode, self.read)

    @property
    def limit(self) -> str:
        """What it waits for."""
        computing = self.compute + self.all_reduce + self.batch_norm
        parts = {"GPUs": computing, "decoding": self.decode, "reading": self.read}
        return max(parts, key=parts.get)


def step(
    gpus: int,
    given: Assumptions,
    sync_batch_norm: bool = False,
    service: bool = False,
) -> Step:
    """Returns the times of a step.

    Args:
        gpus: How many.
        given: The assumptions.
        sync_batch_norm: Whether batch norm takes its moments over all GPUs.
        service: Whether a tf.data service, with the cores and the links of the same
            machines, reads each record once. Without, each worker reads all records
            and decodes its own.
    """
    local = min(gpus, given.gpus_per_machine)
    machines = math.ceil(gpus / given.gpus_per_machine)
    gradients = 4 * given.parameters
    network = given.network_gbit / 8 * 1e9 * given.network_efficiency
    # A tree of machines: up and down again.
    latency = 2 * math.ceil(math.log2(machines)) * given.latency_us * 1e-6
    all_reduce = (
        2 * (local - 1) / local * gradients / (given.gpu_link_gbyte * 1e9)
        + 2 * (machines - 1) / machines * gradients / network
        + latency
    )
    images_read = given.batch * (local if service else gpus)
    return Step(
        compute=given.batch / given.images_per_second,
        all_reduce=all_reduce,
        # Moments in the forward pass, their gradients in the backward pass.
        batch_norm=2 * given.batch_norms * latency if sync_batch_norm else 0.0,
        decode=given.batch * local / (given.cores * given.images_per_core),
        read=images_read * given.image_kbyte * 1e3 / (given.read_gbit / 8 * 1e9),
    )


def table(given: Assumptions, **options: bool) -> str:
    """Returns the model as a table in Markdown."""
    rows = [
        "| GPUs | machines | compute ms | all-reduce ms | sync. batch norm ms | "
        "decode ms | read ms | images/s | efficiency | waits for |",
        "| --- " * 10 + "|",
    ]
    for gpus in COUNTS:
        found = step(gpus, given, **options)
        rate = gpus * given.batch / found.seconds
        times = (
            found.compute,
            found.all_reduce,
            found.batch_norm,
            found.decode,
            found.read,
        )
        cells = [
            gpus,
            math.ceil(gpus / given.gpus_per_machine),
            *(f"{1e3 * seconds:.1f}" for seconds in times),
            f"{rate:,.0f}",
            f"{rate / gpus / given.images_per_second:.0%}",
            found.limit,
        ]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def main():
    """Prints the table for the flags' assumptions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for field in dataclasses.fields(Assumptions):
        parser.add_argument(f"--{field.name}", type=field.type, default=field.default)
    options = ("sync_batch_norm", "service")
    for option in options:
        parser.add_argument(f"--{option}", action="store_true")
    flags = vars(parser.parse_args())
    chosen = {option: flags.pop(option) for option in options}
    print(table(Assumptions(**flags), **chosen))


if __name__ == "__main__":
    main()
