"""Networks: by name or spec with `create_model`, or by constructor as in Keras."""

# Written by `python -m se_keras.models.stubs`.

import pathlib
from collections.abc import Callable, Mapping
from typing import Protocol

import keras

from se_keras.models.bn_inception import BNInceptionSpec as BNInceptionSpec
from se_keras.models.bn_inception import InceptionModule as InceptionModule
from se_keras.models.create import create_model as create_model
from se_keras.models.image_model import ImageModel as ImageModel
from se_keras.models.keras_applications import ApplicationSpec as ApplicationSpec
from se_keras.models.keras_applications import Block as Block
from se_keras.models.preact_resnet import PreActResNetSpec as PreActResNetSpec
from se_keras.models.preprocessing import Preprocessing as Preprocessing
from se_keras.models.recognition import structure_of as structure_of
from se_keras.models.registry import list_models as list_models
from se_keras.models.registry import register as register
from se_keras.models.resnet import ResNetSpec as ResNetSpec
from se_keras.models.resnet import Stem as Stem
from se_keras.models.shake_shake import ShakeShakeSpec as ShakeShakeSpec
from se_keras.models.shufflenet import ShuffleNetSpec as ShuffleNetSpec
from se_keras.models.spec import NetworkSpec as NetworkSpec
from se_keras.models.structure import Part as Part
from se_keras.models.structure import Structure as Structure
from se_keras.models.vgg import VGGSpec as VGGSpec

class _Constructor(Protocol):
    """Creates a network. The arguments are those of `create_model` after the first."""

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: str | pathlib.Path | Mapping | None = None,
        input_tensor: keras.KerasTensor | None = None,
        input_shape: tuple[int | None, ...] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: str | Callable | None = "softmax",
        name: str | None = None,
        attention: str | keras.Layer | Callable | None = "default",
        ratio: float | None = None,
        squeeze: str | None = None,
        gate_activation: str | Callable | None = None,
        placement: str = "standard",
        stages: tuple[int, ...] | None = None,
        pyramid: bool = False,
        output_stride: int | None = None,
        drop_path: float = 0.0,
        data_format: str | None = None,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> ImageModel: ...

BNInception: _Constructor
"""Creates `bn_inception`, a network of the family BN-Inception.

It has 11,285,224 parameters with 1000 classes. The same network with attention is
`SEBNInception`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [Ioffe and Szegedy 2015, Batch
      Normalization](https://arxiv.org/abs/1502.03167), figure 5.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), figure 2, and its original
      release, hujie-frank/SENet, which has this network.
"""

InceptionResNetV2: _Constructor
"""Creates `inception_resnet_v2`, a network of the family keras.applications.

It has 55,813,192 parameters with 1000 classes. The same network with attention is
`SEInceptionResNetV2`.

Default preprocessing: images of 299 x 299 pixels (height x width) with 3 channels,
resized to at least 341 x 341 with bilinear interpolation, cropped in the center,
and normalized with mean (0.5, 0.5, 0.5) and standard deviation (0.5, 0.5, 0.5), for
pixels in the range 0 to 1.

Reference:
    - [Szegedy et al. 2015, Rethinking the Inception
      Architecture](https://arxiv.org/abs/1512.00567): Inception-v3.
    - [Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of
      Residual Connections](https://arxiv.org/abs/1602.07261): Inception-ResNet-v2.
    - [Howard et al. 2017, MobileNets](https://arxiv.org/abs/1704.04861).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 2 and 3.
"""

InceptionV3: _Constructor
"""Creates `inception_v3`, a network of the family keras.applications.

It has 23,817,352 parameters with 1000 classes. The same network with attention is
`SEInceptionV3`.

Default preprocessing: images of 299 x 299 pixels (height x width) with 3 channels,
resized to at least 341 x 341 with bilinear interpolation, cropped in the center,
and normalized with mean (0.5, 0.5, 0.5) and standard deviation (0.5, 0.5, 0.5), for
pixels in the range 0 to 1.

Reference:
    - [Szegedy et al. 2015, Rethinking the Inception
      Architecture](https://arxiv.org/abs/1512.00567): Inception-v3.
    - [Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of
      Residual Connections](https://arxiv.org/abs/1602.07261): Inception-ResNet-v2.
    - [Howard et al. 2017, MobileNets](https://arxiv.org/abs/1704.04861).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 2 and 3.
"""

MobileNet: _Constructor
"""Creates `mobilenet`, a network of the family keras.applications.

It has 4,231,976 parameters with 1000 classes. The same network with attention is
`SEMobileNet`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.5, 0.5, 0.5) and standard deviation (0.5, 0.5, 0.5), for
pixels in the range 0 to 1.

Reference:
    - [Szegedy et al. 2015, Rethinking the Inception
      Architecture](https://arxiv.org/abs/1512.00567): Inception-v3.
    - [Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of
      Residual Connections](https://arxiv.org/abs/1602.07261): Inception-ResNet-v2.
    - [Howard et al. 2017, MobileNets](https://arxiv.org/abs/1704.04861).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 2 and 3.
"""

ResNeXt101: _Constructor
"""Creates `resnext101_32x4d`, a network of the family ResNet.

It has 44,177,704 parameters with 1000 classes. The same network with attention is
`SEResNeXt101`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt101_32x8d: _Constructor
"""Creates `resnext101_32x8d`, a network of the family ResNet.

It has 88,791,336 parameters with 1000 classes. The same network with attention is
`SEResNeXt101_32x8d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt101_64x4d: _Constructor
"""Creates `resnext101_64x4d`, a network of the family ResNet.

It has 83,455,272 parameters with 1000 classes. The same network with attention is
`SEResNeXt101_64x4d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt101_Caffe: _Constructor
"""Creates `resnext101_32x4d_caffe`, a network of the family ResNet.

It has 44,177,704 parameters with 1000 classes. The same network with attention is
`SEResNeXt101_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt101d_32x8d: _Constructor
"""Creates `resnext101d_32x8d`, a network of the family ResNet.

It has 88,810,568 parameters with 1000 classes. The same network with attention is
`SEResNeXt101d_32x8d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt26_Caffe: _Constructor
"""Creates `resnext26_32x4d_caffe`, a network of the family ResNet.

It has 15,389,480 parameters with 1000 classes. The same network with attention is
`SEResNeXt26_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt26d: _Constructor
"""Creates `resnext26d_32x4d`, a network of the family ResNet.

It has 15,408,712 parameters with 1000 classes. The same network with attention is
`SEResNeXt26d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt26t: _Constructor
"""Creates `resnext26t_32x4d`, a network of the family ResNet.

It has 15,406,176 parameters with 1000 classes. The same network with attention is
`SEResNeXt26t`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt50: _Constructor
"""Creates `resnext50_32x4d`, a network of the family ResNet.

It has 25,028,904 parameters with 1000 classes. The same network with attention is
`SEResNeXt50`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXt50_Caffe: _Constructor
"""Creates `resnext50_32x4d_caffe`, a network of the family ResNet.

It has 25,028,904 parameters with 1000 classes. The same network with attention is
`SEResNeXt50_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXtAA101d_32x8d: _Constructor
"""Creates `resnextaa101d_32x8d`, a network of the family ResNet.

It has 88,810,568 parameters with 1000 classes. The same network with attention is
`SEResNeXtAA101d_32x8d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNeXtAA201d_32x8d: _Constructor
"""Creates `resnextaa201d_32x8d`, a network of the family ResNet.

It has 141,706,408 parameters with 1000 classes. The same network with attention is
`SEResNeXtAA201d_32x8d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet101: _Constructor
"""Creates `resnet101`, a network of the family ResNet.

It has 44,549,160 parameters with 1000 classes. The same network with attention is
`SEResNet101`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet101_Caffe: _Constructor
"""Creates `resnet101_caffe`, a network of the family ResNet.

It has 44,549,160 parameters with 1000 classes. The same network with attention is
`SEResNet101_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet110: _Constructor
"""Creates `resnet110`, a network of the family ResNet.

It has 1,792,312 parameters with 1000 classes. The same network with attention is
`SEResNet110`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet152: _Constructor
"""Creates `resnet152`, a network of the family ResNet.

It has 60,192,808 parameters with 1000 classes. The same network with attention is
`SEResNet152`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet152_Caffe: _Constructor
"""Creates `resnet152_caffe`, a network of the family ResNet.

It has 60,192,808 parameters with 1000 classes. The same network with attention is
`SEResNet152_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet152d: _Constructor
"""Creates `resnet152d`, a network of the family ResNet.

It has 60,212,040 parameters with 1000 classes. The same network with attention is
`SEResNet152d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet164: _Constructor
"""Creates `resnet164`, a network of the family pre-activation ResNet.

It has 1,957,688 parameters with 1000 classes. The same network with attention is
`SEResNet164`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2016, Identity Mappings in Deep Residual
      Networks](https://arxiv.org/abs/1603.05027) and its release,
      KaimingHe/resnet-1k-layers: ResNet-164.
    - [Zagoruyko and Komodakis 2016, Wide Residual
      Networks](https://arxiv.org/abs/1605.07146) and its release,
      szagoruyko/wide-residual-networks: WRN-16-8.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5: both with SE on
      the residual branch before the addition.
"""

ResNet18: _Constructor
"""Creates `resnet18`, a network of the family ResNet.

It has 11,689,512 parameters with 1000 classes. The same network with attention is
`SEResNet18`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet18_Caffe: _Constructor
"""Creates `resnet18_caffe`, a network of the family ResNet.

It has 11,689,512 parameters with 1000 classes. The same network with attention is
`SEResNet18_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet20: _Constructor
"""Creates `resnet20`, a network of the family ResNet.

It has 334,072 parameters with 1000 classes. The same network with attention is
`SEResNet20`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet200d: _Constructor
"""Creates `resnet200d`, a network of the family ResNet.

It has 64,693,064 parameters with 1000 classes. The same network with attention is
`SEResNet200d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet269d: _Constructor
"""Creates `resnet269d`, a network of the family ResNet.

It has 102,092,616 parameters with 1000 classes. The same network with attention is
`SEResNet269d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet32: _Constructor
"""Creates `resnet32`, a network of the family ResNet.

It has 528,504 parameters with 1000 classes. The same network with attention is
`SEResNet32`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet34: _Constructor
"""Creates `resnet34`, a network of the family ResNet.

It has 21,797,672 parameters with 1000 classes. The same network with attention is
`SEResNet34`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet34_Caffe: _Constructor
"""Creates `resnet34_caffe`, a network of the family ResNet.

It has 21,797,672 parameters with 1000 classes. The same network with attention is
`SEResNet34_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet44: _Constructor
"""Creates `resnet44`, a network of the family ResNet.

It has 722,936 parameters with 1000 classes. The same network with attention is
`SEResNet44`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet50: _Constructor
"""Creates `resnet50`, a network of the family ResNet.

It has 25,557,032 parameters with 1000 classes. The same network with attention is
`SEResNet50`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet50_Caffe: _Constructor
"""Creates `resnet50_caffe`, a network of the family ResNet.

It has 25,557,032 parameters with 1000 classes. The same network with attention is
`SEResNet50_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet50t: _Constructor
"""Creates `resnet50t`, a network of the family ResNet.

It has 25,573,728 parameters with 1000 classes. The same network with attention is
`SEResNet50t`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNet56: _Constructor
"""Creates `resnet56`, a network of the family ResNet.

It has 917,368 parameters with 1000 classes. The same network with attention is
`SEResNet56`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetAA50d: _Constructor
"""Creates `resnetaa50d`, a network of the family ResNet.

It has 25,576,264 parameters with 1000 classes. The same network with attention is
`SEResNetAA50d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS101: _Constructor
"""Creates `resnetrs101`, a network of the family ResNet.

It has 63,618,696 parameters with 1000 classes. The same network without attention
is `ResNetRS101Plain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS101Plain: _Constructor
"""Creates `resnetrs101_plain`, a network of the family ResNet.

It has 44,605,384 parameters with 1000 classes. The same network with attention is
`ResNetRS101`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS152: _Constructor
"""Creates `resnetrs152`, a network of the family ResNet.

It has 86,621,576 parameters with 1000 classes. The same network without attention
is `ResNetRS152Plain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS152Plain: _Constructor
"""Creates `resnetrs152_plain`, a network of the family ResNet.

It has 60,249,032 parameters with 1000 classes. The same network with attention is
`ResNetRS152`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS200: _Constructor
"""Creates `resnetrs200`, a network of the family ResNet.

It has 93,209,992 parameters with 1000 classes. The same network without attention
is `ResNetRS200Plain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS200Plain: _Constructor
"""Creates `resnetrs200_plain`, a network of the family ResNet.

It has 64,730,056 parameters with 1000 classes. The same network with attention is
`ResNetRS200`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS270: _Constructor
"""Creates `resnetrs270`, a network of the family ResNet.

It has 129,861,448 parameters with 1000 classes. The same network without attention
is `ResNetRS270Plain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS270Plain: _Constructor
"""Creates `resnetrs270_plain`, a network of the family ResNet.

It has 89,655,496 parameters with 1000 classes. The same network with attention is
`ResNetRS270`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS350: _Constructor
"""Creates `resnetrs350`, a network of the family ResNet.

It has 163,956,168 parameters with 1000 classes. The same network without attention
is `ResNetRS350Plain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS350Plain: _Constructor
"""Creates `resnetrs350_plain`, a network of the family ResNet.

It has 112,842,440 parameters with 1000 classes. The same network with attention is
`ResNetRS350`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS420: _Constructor
"""Creates `resnetrs420`, a network of the family ResNet.

It has 191,891,656 parameters with 1000 classes. The same network without attention
is `ResNetRS420Plain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS420Plain: _Constructor
"""Creates `resnetrs420_plain`, a network of the family ResNet.

It has 131,840,712 parameters with 1000 classes. The same network with attention is
`ResNetRS420`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS50: _Constructor
"""Creates `resnetrs50`, a network of the family ResNet.

It has 35,691,912 parameters with 1000 classes. The same network without attention
is `ResNetRS50Plain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

ResNetRS50Plain: _Constructor
"""Creates `resnetrs50_plain`, a network of the family ResNet.

It has 25,613,256 parameters with 1000 classes. The same network with attention is
`ResNetRS50`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEBNInception: _Constructor
"""Creates `se_bn_inception`, a network of the family BN-Inception.

It has 11,931,622 parameters with 1000 classes. The same network without attention
is `BNInception`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [Ioffe and Szegedy 2015, Batch
      Normalization](https://arxiv.org/abs/1502.03167), figure 5.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), figure 2, and its original
      release, hujie-frank/SENet, which has this network.
"""

SEInceptionResNetV2: _Constructor
"""Creates `se_inception_resnet_v2`, a network of the family keras.applications.

It has 55,813,192 parameters with 1000 classes, in addition to those of its SE
layers. The same network without attention is `InceptionResNetV2`.

Default preprocessing: images of 299 x 299 pixels (height x width) with 3 channels,
resized to at least 341 x 341 with bilinear interpolation, cropped in the center,
and normalized with mean (0.5, 0.5, 0.5) and standard deviation (0.5, 0.5, 0.5), for
pixels in the range 0 to 1.

Reference:
    - [Szegedy et al. 2015, Rethinking the Inception
      Architecture](https://arxiv.org/abs/1512.00567): Inception-v3.
    - [Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of
      Residual Connections](https://arxiv.org/abs/1602.07261): Inception-ResNet-v2.
    - [Howard et al. 2017, MobileNets](https://arxiv.org/abs/1704.04861).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 2 and 3.
"""

SEInceptionV3: _Constructor
"""Creates `se_inception_v3`, a network of the family keras.applications.

It has 23,817,352 parameters with 1000 classes, in addition to those of its SE
layers. The same network without attention is `InceptionV3`.

Default preprocessing: images of 299 x 299 pixels (height x width) with 3 channels,
resized to at least 341 x 341 with bilinear interpolation, cropped in the center,
and normalized with mean (0.5, 0.5, 0.5) and standard deviation (0.5, 0.5, 0.5), for
pixels in the range 0 to 1.

Reference:
    - [Szegedy et al. 2015, Rethinking the Inception
      Architecture](https://arxiv.org/abs/1512.00567): Inception-v3.
    - [Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of
      Residual Connections](https://arxiv.org/abs/1602.07261): Inception-ResNet-v2.
    - [Howard et al. 2017, MobileNets](https://arxiv.org/abs/1704.04861).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 2 and 3.
"""

SEMobileNet: _Constructor
"""Creates `se_mobilenet`, a network of the family keras.applications.

It has 4,231,976 parameters with 1000 classes, in addition to those of its SE
layers. The same network without attention is `MobileNet`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.5, 0.5, 0.5) and standard deviation (0.5, 0.5, 0.5), for
pixels in the range 0 to 1.

Reference:
    - [Szegedy et al. 2015, Rethinking the Inception
      Architecture](https://arxiv.org/abs/1512.00567): Inception-v3.
    - [Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of
      Residual Connections](https://arxiv.org/abs/1602.07261): Inception-ResNet-v2.
    - [Howard et al. 2017, MobileNets](https://arxiv.org/abs/1704.04861).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 2 and 3.
"""

SENet154: _Constructor
"""Creates `senet154`, a network of the family ResNet.

It has 115,088,984 parameters with 1000 classes. The same network without attention
is `SENet154Plain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SENet154Plain: _Constructor
"""Creates `senet154_plain`, a network of the family ResNet.

It has 108,459,944 parameters with 1000 classes. The same network with attention is
`SENet154`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SENet154_Caffe: _Constructor
"""Creates `senet154_caffe`, a network of the family ResNet.

It has 115,088,984 parameters with 1000 classes. The same network without attention
is `SENet154_CaffePlain`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SENet154_CaffePlain: _Constructor
"""Creates `senet154_caffe_plain`, a network of the family ResNet.

It has 108,459,944 parameters with 1000 classes. The same network with attention is
`SENet154_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt101: _Constructor
"""Creates `se_resnext101_32x4d`, a network of the family ResNet.

It has 48,955,416 parameters with 1000 classes. The same network without attention
is `ResNeXt101`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt101_32x8d: _Constructor
"""Creates `se_resnext101_32x8d`, a network of the family ResNet.

It has 93,569,048 parameters with 1000 classes. The same network without attention
is `ResNeXt101_32x8d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt101_64x4d: _Constructor
"""Creates `se_resnext101_64x4d`, a network of the family ResNet.

It has 88,232,984 parameters with 1000 classes. The same network without attention
is `ResNeXt101_64x4d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt101_Caffe: _Constructor
"""Creates `se_resnext101_32x4d_caffe`, a network of the family ResNet.

It has 48,955,416 parameters with 1000 classes. The same network without attention
is `ResNeXt101_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt101d_32x8d: _Constructor
"""Creates `se_resnext101d_32x8d`, a network of the family ResNet.

It has 93,588,280 parameters with 1000 classes. The same network without attention
is `ResNeXt101d_32x8d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt26_Caffe: _Constructor
"""Creates `se_resnext26_32x4d_caffe`, a network of the family ResNet.

It has 16,790,280 parameters with 1000 classes. The same network without attention
is `ResNeXt26_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt26d: _Constructor
"""Creates `se_resnext26d_32x4d`, a network of the family ResNet.

It has 16,809,512 parameters with 1000 classes. The same network without attention
is `ResNeXt26d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt26t: _Constructor
"""Creates `se_resnext26t_32x4d`, a network of the family ResNet.

It has 16,806,976 parameters with 1000 classes. The same network without attention
is `ResNeXt26t`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt50: _Constructor
"""Creates `se_resnext50_32x4d`, a network of the family ResNet.

It has 27,559,896 parameters with 1000 classes. The same network without attention
is `ResNeXt50`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXt50_Caffe: _Constructor
"""Creates `se_resnext50_32x4d_caffe`, a network of the family ResNet.

It has 27,559,896 parameters with 1000 classes. The same network without attention
is `ResNeXt50_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXtAA101d_32x8d: _Constructor
"""Creates `se_resnextaa101d_32x8d`, a network of the family ResNet.

It has 93,588,280 parameters with 1000 classes. The same network without attention
is `ResNeXtAA101d_32x8d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNeXtAA201d_32x8d: _Constructor
"""Creates `se_resnextaa201d_32x8d`, a network of the family ResNet.

It has 149,394,904 parameters with 1000 classes. The same network without attention
is `ResNeXtAA201d_32x8d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet101: _Constructor
"""Creates `se_resnet101`, a network of the family ResNet.

It has 49,326,872 parameters with 1000 classes. The same network without attention
is `ResNet101`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet101_Caffe: _Constructor
"""Creates `se_resnet101_caffe`, a network of the family ResNet.

It has 49,326,872 parameters with 1000 classes. The same network without attention
is `ResNet101_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet110: _Constructor
"""Creates `se_resnet110`, a network of the family ResNet.

It has 1,806,550 parameters with 1000 classes. The same network without attention is
`ResNet110`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet152: _Constructor
"""Creates `se_resnet152`, a network of the family ResNet.

It has 66,821,848 parameters with 1000 classes. The same network without attention
is `ResNet152`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet152_Caffe: _Constructor
"""Creates `se_resnet152_caffe`, a network of the family ResNet.

It has 66,821,848 parameters with 1000 classes. The same network without attention
is `ResNet152_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet152d: _Constructor
"""Creates `se_resnet152d`, a network of the family ResNet.

It has 66,841,080 parameters with 1000 classes. The same network without attention
is `ResNet152d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet164: _Constructor
"""Creates `se_resnet164`, a network of the family pre-activation ResNet.

It has 2,159,792 parameters with 1000 classes. The same network without attention is
`ResNet164`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2016, Identity Mappings in Deep Residual
      Networks](https://arxiv.org/abs/1603.05027) and its release,
      KaimingHe/resnet-1k-layers: ResNet-164.
    - [Zagoruyko and Komodakis 2016, Wide Residual
      Networks](https://arxiv.org/abs/1605.07146) and its release,
      szagoruyko/wide-residual-networks: WRN-16-8.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5: both with SE on
      the residual branch before the addition.
"""

SEResNet18: _Constructor
"""Creates `se_resnet18`, a network of the family ResNet.

It has 11,779,624 parameters with 1000 classes. The same network without attention
is `ResNet18`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet18_Caffe: _Constructor
"""Creates `se_resnet18_caffe`, a network of the family ResNet.

It has 11,778,592 parameters with 1000 classes. The same network without attention
is `ResNet18_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet20: _Constructor
"""Creates `se_resnet20`, a network of the family ResNet.

It has 336,445 parameters with 1000 classes. The same network without attention is
`ResNet20`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet200d: _Constructor
"""Creates `se_resnet200d`, a network of the family ResNet.

It has 71,855,096 parameters with 1000 classes. The same network without attention
is `ResNet200d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet269d: _Constructor
"""Creates `se_resnet269d`, a network of the family ResNet.

It has 113,672,760 parameters with 1000 classes. The same network without attention
is `ResNet269d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet32: _Constructor
"""Creates `se_resnet32`, a network of the family ResNet.

It has 532,459 parameters with 1000 classes. The same network without attention is
`ResNet32`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet34: _Constructor
"""Creates `se_resnet34`, a network of the family ResNet.

It has 21,960,416 parameters with 1000 classes. The same network without attention
is `ResNet34`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet34_Caffe: _Constructor
"""Creates `se_resnet34_caffe`, a network of the family ResNet.

It has 21,958,868 parameters with 1000 classes. The same network without attention
is `ResNet34_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet44: _Constructor
"""Creates `se_resnet44`, a network of the family ResNet.

It has 728,473 parameters with 1000 classes. The same network without attention is
`ResNet44`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet50: _Constructor
"""Creates `se_resnet50`, a network of the family ResNet.

It has 28,088,024 parameters with 1000 classes. The same network without attention
is `ResNet50`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet50_Caffe: _Constructor
"""Creates `se_resnet50_caffe`, a network of the family ResNet.

It has 28,088,024 parameters with 1000 classes. The same network without attention
is `ResNet50_Caffe`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet50t: _Constructor
"""Creates `se_resnet50t`, a network of the family ResNet.

It has 28,104,720 parameters with 1000 classes. The same network without attention
is `ResNet50t`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNet56: _Constructor
"""Creates `se_resnet56`, a network of the family ResNet.

It has 924,487 parameters with 1000 classes. The same network without attention is
`ResNet56`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEResNetAA50d: _Constructor
"""Creates `se_resnetaa50d`, a network of the family ResNet.

It has 28,107,256 parameters with 1000 classes. The same network without attention
is `ResNetAA50d`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual
      branch, after the last batch norm and before the addition; and its original
      release for Caffe.
    - timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.
"""

SEShakeEven29_2x4x64d: _Constructor
"""Creates `se_shake_even_29_2x4x64d`, a network of the family Shake-Shake.

It has 35,974,008 parameters with 1000 classes. The same network without attention
is `ShakeEven29_2x4x64d`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [Gastaldi 2017, Shake-Shake regularization](https://arxiv.org/abs/1705.07485)
      and its release, xgastaldi/shake-shake: 26 2x96d (Shake-Shake-Image) and 29
      2x4x64d (Shake-Even-Image).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5.
"""

SEShakeShake26_2x96d: _Constructor
"""Creates `se_shake_shake_26_2x96d`, a network of the family Shake-Shake.

It has 26,673,696 parameters with 1000 classes. The same network without attention
is `ShakeShake26_2x96d`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [Gastaldi 2017, Shake-Shake regularization](https://arxiv.org/abs/1705.07485)
      and its release, xgastaldi/shake-shake: 26 2x96d (Shake-Shake-Image) and 29
      2x4x64d (Shake-Even-Image).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5.
"""

SEShuffleNet: _Constructor
"""Creates `se_shufflenet`, a network of the family ShuffleNet.

It has 2,484,966 parameters with 1000 classes. The same network without attention is
`ShuffleNet`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [Zhang et al. 2017, ShuffleNet](https://arxiv.org/abs/1707.01083), figure 2
      and table 1.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), table 3: SE on the residual
      branch, before the addition or concatenation.
"""

SEVGG16: _Constructor
"""Creates `se_vgg16`, a network of the family VGG.

It has 138,596,784 parameters with 1000 classes. The same network without attention
is `VGG16`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [Simonyan and Zisserman 2014, Very Deep Convolutional
      Networks](https://arxiv.org/abs/1409.1556), configuration D.
    - torchvision's `vgg16_bn`, which has the same parameters: batch norm makes the
      biases of the convolutions superfluous, but its weights have them.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 6.1: SE after each
      non-linearity of the convolutions.
"""

SEWRN_16_8: _Constructor
"""Creates `se_wrn_16_8`, a network of the family pre-activation ResNet.

It has 11,557,160 parameters with 1000 classes. The same network without attention
is `WRN_16_8`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2016, Identity Mappings in Deep Residual
      Networks](https://arxiv.org/abs/1603.05027) and its release,
      KaimingHe/resnet-1k-layers: ResNet-164.
    - [Zagoruyko and Komodakis 2016, Wide Residual
      Networks](https://arxiv.org/abs/1605.07146) and its release,
      szagoruyko/wide-residual-networks: WRN-16-8.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5: both with SE on
      the residual branch before the addition.
"""

ShakeEven29_2x4x64d: _Constructor
"""Creates `shake_even_29_2x4x64d`, a network of the family Shake-Shake.

It has 35,452,200 parameters with 1000 classes. The same network with attention is
`SEShakeEven29_2x4x64d`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [Gastaldi 2017, Shake-Shake regularization](https://arxiv.org/abs/1705.07485)
      and its release, xgastaldi/shake-shake: 26 2x96d (Shake-Shake-Image) and 29
      2x4x64d (Shake-Even-Image).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5.
"""

ShakeShake26_2x96d: _Constructor
"""Creates `shake_shake_26_2x96d`, a network of the family Shake-Shake.

It has 26,574,072 parameters with 1000 classes. The same network with attention is
`SEShakeShake26_2x96d`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [Gastaldi 2017, Shake-Shake regularization](https://arxiv.org/abs/1705.07485)
      and its release, xgastaldi/shake-shake: 26 2x96d (Shake-Shake-Image) and 29
      2x4x64d (Shake-Even-Image).
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5.
"""

ShuffleNet: _Constructor
"""Creates `shufflenet`, a network of the family ShuffleNet.

It has 1,865,728 parameters with 1000 classes. The same network with attention is
`SEShuffleNet`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [Zhang et al. 2017, ShuffleNet](https://arxiv.org/abs/1707.01083), figure 2
      and table 1.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), table 3: SE on the residual
      branch, before the addition or concatenation.
"""

VGG16: _Constructor
"""Creates `vgg16`, a network of the family VGG.

It has 138,365,992 parameters with 1000 classes. The same network with attention is
`SEVGG16`.

Default preprocessing: images of 224 x 224 pixels (height x width) with 3 channels,
resized to at least 256 x 256 with bilinear interpolation, cropped in the center,
and normalized with mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224,
0.225), for pixels in the range 0 to 1.

Reference:
    - [Simonyan and Zisserman 2014, Very Deep Convolutional
      Networks](https://arxiv.org/abs/1409.1556), configuration D.
    - torchvision's `vgg16_bn`, which has the same parameters: batch norm makes the
      biases of the convolutions superfluous, but its weights have them.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), section 6.1: SE after each
      non-linearity of the convolutions.
"""

WRN_16_8: _Constructor
"""Creates `wrn_16_8`, a network of the family pre-activation ResNet.

It has 11,469,240 parameters with 1000 classes. The same network with attention is
`SEWRN_16_8`.

Default preprocessing: images of 32 x 32 pixels (height x width) with 3 channels,
resized to at least 32 x 32 with bilinear interpolation, cropped in the center, and
normalized with mean (0.4914, 0.4822, 0.4465) and standard deviation (0.247, 0.2435,
0.2616), for pixels in the range 0 to 1.

Reference:
    - [He et al. 2016, Identity Mappings in Deep Residual
      Networks](https://arxiv.org/abs/1603.05027) and its release,
      KaimingHe/resnet-1k-layers: ResNet-164.
    - [Zagoruyko and Komodakis 2016, Wide Residual
      Networks](https://arxiv.org/abs/1605.07146) and its release,
      szagoruyko/wide-residual-networks: WRN-16-8.
    - [Hu et al. 2017, Squeeze-and-Excitation
      Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5: both with SE on
      the residual branch before the addition.
"""
