"""A layer of a user's own, in a module that a child process can import."""

import keras


@keras.saving.register_keras_serializable(package="tests")
class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs
