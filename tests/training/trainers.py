"""Trainers without a run: of a model and an optimizer, for classification."""

import tensorflow as tf

from se_keras.training import Classification, Cluster, Trainer, make_recipe


def classification(**settings):
    """The task with fields of a recipe; no weight decay by default."""
    return Classification(make_recipe("sample", **{"weight_decay": 0.0, **settings}))


def make_trainer(model, optimizer, *, strategy=None, average=None, **settings):
    """A trainer of a strategy of `tf.distribute`, by default of one device."""
    cluster = Cluster(strategy or tf.distribute.get_strategy())
    return Trainer(model, optimizer, classification(**settings), cluster, average)
