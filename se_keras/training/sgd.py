"""SGD with a fused update step."""

import keras
import tensorflow as tf


class SGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD`, faster with momentum.

    Keras's step reads and writes each variable in five operations; a kernel of
    TensorFlow does the same in one. Arguments, slots and results are Keras's.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Updates a variable and its momentum."""
        if not self.momentum or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        slot = self.momentums[self._get_variable_index(variable)].value
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=slot.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )
