"""A model of how training scales, from 1 GPU to 1024. Nothing in it is measured.

    python benchmarks/scaling_model.py
    python benchmarks/scaling_model.py --service --sync_batch_norm
    python benchmarks/scaling_model.py --network_gbit=400 --batch=256

Two things overlap in a step, and the slower one decides its time: preparing its images,
and computing it. Computing is the forward and backward pass on each GPU, then the
all-reduce of the gradients, which is counted in full although part of it overlaps with
the backward pass.
"""

import argparse
import dataclasses
import math

import report

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """The assumptions of the model; each is a flag.

    Attributes:
        images_per_second: Images that one GPU trains in a second without waiting for
            its input or for other GPUs.
        batch: Number of images of a step on one GPU.
        parameters: Number of parameters of the network (default: SE-ResNet-50); each
            has a gradient of 4 bytes.
        batch_norms: Number of batch norms (default: ResNet-50). If they are
            synchronized, each needs two all-reduces of its own.
        gpus_per_machine: Number of GPUs in a machine.
        gpu_link_gbyte: All-reduce bandwidth within a machine, in GB/s.
        network_gbit: Network bandwidth of a machine, in Gbit/s.
        network_efficiency: Fraction of it that an all-reduce gets.
        latency_us: Latency of one exchange between machines, in microseconds.
        cores: Number of cores of a machine for its input.
        images_per_core: Training images that a core prepares in a second.
        image_kbyte: Size of an encoded image, in kB.
        read_gbit: Bandwidth from storage to a machine, in Gbit/s.
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
    """The times of one step, in seconds."""

    compute: float
    all_reduce: float
    batch_norm: float
    decode: float
    read: float

    @property
    def seconds(self) -> float:
        """Seconds that the step takes."""
        computing = self.compute + self.all_reduce + self.batch_norm
        return max(computing, self.decode, self.read)

    @property
    def limit(self) -> str:
        """What limits the step."""
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
        gpus: Number of GPUs.
        given: The `Assumptions`.
        sync_batch_norm: Whether batch norm computes its moments over all GPUs.
        service: Whether a `tf.data` service, on the cores and links of the same
            machines, reads each image once. If not, each worker reads all images and
            decodes its own.

    Returns:
        A `Step`.
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


def rows(given: Assumptions, **options: bool) -> list[dict]:
    """Returns the model as rows of a table, one for each number of GPUs."""
    found = []
    for gpus in COUNTS:
        times = step(gpus, given, **options)
        rate = gpus * given.batch / times.seconds
        found.append(
            {
                "gpus": gpus,
                "machines": math.ceil(gpus / given.gpus_per_machine),
                "compute_ms": 1e3 * times.compute,
                "all_reduce_ms": 1e3 * times.all_reduce,
                "batch_norm_ms": 1e3 * times.batch_norm,
                "decode_ms": 1e3 * times.decode,
                "read_ms": 1e3 * times.read,
                "images_per_s": round(rate),
                "efficiency": rate / gpus / given.images_per_second,
                "limited_by": times.limit,
            }
        )
    return found


def main():
    """Publishes the table for the assumptions in the flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for field in dataclasses.fields(Assumptions):
        parser.add_argument(f"--{field.name}", type=field.type, default=field.default)
    options = ("sync_batch_norm", "service")
    for option in options:
        parser.add_argument(f"--{option}", action="store_true")
    report.add_flags(parser)
    flags = parser.parse_args()
    given = {f.name: getattr(flags, f.name) for f in dataclasses.fields(Assumptions)}
    chosen = {option: getattr(flags, option) for option in options}
    report.publish(flags, rows(Assumptions(**given), **chosen))


if __name__ == "__main__":
    main()
