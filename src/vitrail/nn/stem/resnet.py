"""A ResNet with group normalisation and standardised kernels: the stem of hybrids, and the paper's plain ResNet."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn.functional import relu

from vitrail.core.config import require
from vitrail.nn.shapes import Images
from vitrail.nn.stem.base import FeatureMap, Stem, StemConfig
from vitrail.nn.stem.std_conv import Padding, StdConv2d, padding_of


@dataclass(frozen=True)
class ResNetStemConfig(StemConfig):
    """Choose a ResNet of bottlenecks; the default is the R50 of R50+ViT-B/16.

    Args:
        layers: bottlenecks of each stage; each stage after the first halves the grid of the root, which is a quarter
            of the image's. Empty: the root alone.
        width: channels of the root; stage i, counted from 0, gives 4 · 2ⁱ times as many.
        groups: groups of channels that are normalised together; must divide `width`.
        pre_activation: normalise and activate before each convolution (ResNet v2, BiT) rather than after it (hybrids).
        padding: "same": as in TensorFlow (hybrids); "symmetric": as in torch (BiT).
        norm_eps: added to the variance of a group; 1e-5 in timm, 1e-6 in the paper's code.
        conv_eps: added to the variance of a kernel, greater than 0.
        project: whether patches of what comes out are projected to tokens; without, they are the tokens.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        Dosovitskiy et al. 2020, section 3.1 and appendix B.1; Kolesnikov et al. 2019, BiT (arXiv 1912.11370). Names of
        parameters are timm's.
    """

    kind: ClassVar[str] = "resnet"
    is_backbone: ClassVar[bool] = True
    layers: tuple[int, ...] = (3, 4, 9)
    width: int = 64
    groups: int = 32
    pre_activation: bool = False
    padding: Padding = "same"
    norm_eps: float = 1e-5
    conv_eps: float = 1e-8
    project: bool = True

    def __post_init__(self) -> None:
        require(all(count >= 1 for count in self.layers), "stem.layers", self.layers, "1 or more each")
        require(self.groups >= 1, "stem.groups", self.groups, "1 or more")
        multiple = self.width >= 1 and self.width % self.groups == 0
        require(multiple, "stem.width", self.width, f"multiples of stem.groups, {self.groups}")
        require(0 <= self.norm_eps < math.inf, "stem.norm_eps", self.norm_eps, "0 or more")
        require(0 < self.conv_eps < math.inf, "stem.conv_eps", self.conv_eps, "greater than 0")

    def build(self, in_chans: int, embed_dim: int, patch_size: int) -> Stem:
        """Build the ResNet."""
        widths = [self.width, *(4 * self.width * 2**index for index in range(len(self.layers)))]
        layers = self._root(in_chans)
        if self.layers:
            stages = [self._stage(index, *pair) for index, pair in enumerate(itertools.pairwise(widths))]
            layers = {"stem": nn.Sequential(OrderedDict(layers)), "stages": nn.Sequential(*stages)}
        if self.pre_activation:
            layers |= {"norm": self.norm(widths[-1]), "act": nn.ReLU()}
        return Stem(layers, widths[-1], 2 ** max(2, len(self.layers) + 1), makes_tokens=not self.project)

    def _root(self, in_chans: int) -> dict[str, nn.Module]:
        layers: dict[str, nn.Module] = {"conv": self.conv(in_chans, self.width, 7, stride=2)}
        if not self.pre_activation:
            layers |= {"norm": self.norm(self.width), "act": nn.ReLU()}
        # After ReLU zeros never win, so that padding with them is TensorFlow's, with -inf. BiT pads with zeros as well.
        before, after = padding_of(3, 2, self.padding)
        return layers | {"pad": nn.ZeroPad2d((before, after, before, after)), "pool": nn.MaxPool2d(3, 2)}

    def _stage(self, index: int, in_chans: int, out_chans: int) -> nn.Module:
        bottleneck = PreActivationBottleneck if self.pre_activation else Bottleneck
        first = bottleneck(in_chans, out_chans, 1 if index == 0 else 2, self)
        rest = [bottleneck(out_chans, out_chans, 1, self) for _ in range(self.layers[index] - 1)]
        return nn.Sequential(OrderedDict(blocks=nn.Sequential(first, *rest)))

    def conv(self, in_chans: int, out_chans: int, kernel_size: int, stride: int = 1) -> nn.Module:
        """Build a convolution.

        Args:
            in_chans: channels that come in.
            out_chans: channels that come out.
            kernel_size: side of the kernel in pixels.
            stride: step in pixels.

        Returns:
            The module.
        """
        return StdConv2d(in_chans, out_chans, kernel_size, stride, self.padding, self.conv_eps)

    def norm(self, channels: int) -> nn.GroupNorm:
        """Build a normalisation.

        Args:
            channels: channels that come in.

        Returns:
            The module.
        """
        return nn.GroupNorm(self.groups, channels, eps=self.norm_eps)


class Bottleneck(nn.Module):
    """Narrow, look around, widen, and add; activation last. It begins as the activation of its shortcut.

    Args:
        in_chans: channels that come in.
        out_chans: channels that come out; a quarter of them within.
        stride: step of the 3×3 convolution in pixels.
        config: what is equal in the whole ResNet.

    Source:
        He et al. 2015 (arXiv 1512.03385), with the stride on the 3×3 convolution, as in the paper's code.
    """

    def __init__(self, in_chans: int, out_chans: int, stride: int, config: ResNetStemConfig) -> None:
        super().__init__()
        inner = out_chans // 4
        self.downsample: nn.Module = nn.Identity()
        if in_chans != out_chans:
            conv = config.conv(in_chans, out_chans, 1, stride)
            self.downsample = nn.Sequential(OrderedDict(conv=conv, norm=config.norm(out_chans)))
        self.conv1 = config.conv(in_chans, inner, 1)
        self.norm1 = config.norm(inner)
        self.conv2 = config.conv(inner, inner, 3, stride)
        self.norm2 = config.norm(inner)
        self.conv3 = config.conv(inner, out_chans, 1)
        self.norm3 = config.norm(out_chans)
        nn.init.zeros_(self.norm3.weight)

    def forward(self, x: Images) -> FeatureMap:
        y = relu(self.norm1(self.conv1(x)))
        y = relu(self.norm2(self.conv2(y)))
        return relu(self.norm3(self.conv3(y)) + self.downsample(x))


class PreActivationBottleneck(nn.Module):
    """Narrow, look around, widen, and add; activation first.

    Args:
        in_chans: channels that come in.
        out_chans: channels that come out; a quarter of them within.
        stride: step of the 3×3 convolution in pixels.
        config: what is equal in the whole ResNet.

    Source:
        He et al. 2016 (arXiv 1603.05027), with the stride on the 3×3 convolution, as in BiT.
    """

    def __init__(self, in_chans: int, out_chans: int, stride: int, config: ResNetStemConfig) -> None:
        super().__init__()
        inner = out_chans // 4
        self.downsample: nn.Module | None = None
        if in_chans != out_chans:
            self.downsample = nn.Sequential(OrderedDict(conv=config.conv(in_chans, out_chans, 1, stride)))
        self.norm1 = config.norm(in_chans)
        self.conv1 = config.conv(in_chans, inner, 1)
        self.norm2 = config.norm(inner)
        self.conv2 = config.conv(inner, inner, 3, stride)
        self.norm3 = config.norm(inner)
        self.conv3 = config.conv(inner, out_chans, 1)

    def forward(self, x: Images) -> FeatureMap:
        active = relu(self.norm1(x))
        y = relu(self.norm2(self.conv1(active)))
        y = self.conv3(relu(self.norm3(self.conv2(y))))
        return y + (x if self.downsample is None else self.downsample(active))
