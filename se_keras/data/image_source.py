"""The interface of data sets of images."""

import abc

import tensorflow as tf

# The first of these that a data set has is its evaluation split: if there is a labeled
# validation split, as in ImageNet and Places365, the test split has no labels.
EVALUATION_SPLITS = ("validation", "test")


class ImageSource(abc.ABC):
    """A data set of images with one label each.

    A subclass sets the attributes and implements `num_examples` and `named_records`.

    Attributes:
        name: Name of the data set.
        class_names: Names of the classes in the order of the labels.
        image_shape: Height, width and channels of the images; height and width are
            `None` if they vary.
        train_split: Name of the training split.
        evaluation_split: Name of the evaluation split.
    """

    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[int | None, int | None, int]
    train_split: str
    evaluation_split: str

    @abc.abstractmethod
    def num_examples(self, split: str) -> int:
        """Returns the number of images of a split.

        Args:
            split: Name of the split.
        """

    def records(self, split: str, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Returns the encoded images and labels of a split.

        Args:
            split: Name of the split.
            shuffle_seed: As in `named_records`.

        Returns:
            A data set of pairs: an encoded image, a scalar string, and its label, an
            integer.
        """
        records = self.named_records(split, shuffle_seed)
        return records.map(lambda encoded, label, name: (encoded, label))

    @abc.abstractmethod
    def named_records(
        self, split: str, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns the encoded images, labels and names of a split.

        Args:
            split: Name of the split.
            shuffle_seed: If given, files are read in an order that is drawn from it;
                the same seed gives the same order. Defaults to the stored order.

        Returns:
            A data set of triples: an encoded image, a scalar string; its label, an
            integer; and the name of the record, a string, for messages.
        """
