"""Images made for one model, as another model takes them."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

from vitrail.core.config import require
from vitrail.data.color_changes import grey
from vitrail.data.spec import ImageSpec, Interpolation
from vitrail.nn.shapes import Images

MODES: dict[Interpolation, str] = {
    "nearest": "nearest-exact",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "lanczos": "bicubic",
    "box": "area",
}
"""What torch has that is like a filter of Pillow's."""


class Translation:
    """Bring a batch from one preprocessing to another: the same pixels in another size, scale and colour.

    What was cut out of an image, varied and mixed stays as it is; the other's own crop is not made.

    Args:
        spec: how the images were prepared.
        other: what they are wanted as; of mode "keep", its size is taken.

    Raises:
        ConfigError: if neither has one channel and the other three, nor both the same number.
    """

    def __init__(self, spec: ImageSpec, other: ImageSpec) -> None:
        same = spec.channels == other.channels
        allowed = f"{spec.channels}" if spec.channels not in (1, 3) else "1 or 3"
        require(same or {spec.channels, other.channels} == {1, 3}, "channels", other.channels, allowed)
        self.spec, self.other = spec, other

    def __call__(self, images: Images) -> Images:
        """Translate one batch.

        Args:
            images: prepared by the one spec.

        Returns:
            The images prepared by the other; the very same tensor where there is nothing to do.
        """
        spec, other = self.spec, self.other
        if (spec.size, spec.mean, spec.std) == (other.size, other.mean, other.std):
            return images
        images = images * _column(images, spec.std) + _column(images, spec.mean)
        if images.shape[1] != other.channels:
            images = grey(images) if other.channels == 1 else images.expand(-1, other.channels, -1, -1)
        if spec.size != other.size:
            mode = MODES[other.interpolation]
            smooth = mode in ("bilinear", "bicubic")
            images = interpolate(images, other.size, mode=mode, antialias=smooth).clamp(0, 1)
        return (images - _column(images, other.mean)) / _column(images, other.std)


def _column(images: Tensor, values: tuple[float, ...]) -> Tensor:
    return images.new_tensor(values)[:, None, None]
