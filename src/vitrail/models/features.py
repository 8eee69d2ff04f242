"""What a Vision Transformer knows of an image before its head."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from vitrail.core.errors import ConfigError
from vitrail.core.table import Table
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.shapes import Grid, Images


def _model(model: VisionTransformer, tokens: Tensor) -> Tensor:
    return model.fc_norm(model.attn_pool(tokens, model.config.tokens.count))


def _pre_logits(model: VisionTransformer, tokens: Tensor) -> Tensor:
    return model.pre_logits(_model(model, tokens))


def _class_token(model: VisionTransformer, tokens: Tensor) -> Tensor:
    return model.fc_norm(tokens[:, 0])


def _mean(model: VisionTransformer, tokens: Tensor) -> Tensor:
    return model.fc_norm(tokens[:, model.config.tokens.count :].mean(dim=1))


def _tokens(model: VisionTransformer, tokens: Tensor) -> Tensor:
    return tokens


FEATURES: Table[Callable[[VisionTransformer, Tensor], Tensor]] = Table(
    "pool of features",
    {"model": _model, "pre_logits": _pre_logits, "class_token": _class_token, "mean": _mean, "tokens": _tokens},
)


class Features(nn.Module):
    """Give features of images in place of logits.

    A representation layer counts as part of the head, but for "pre_logits". The final normalisation is applied once,
    where the model has it: to the tokens, or to the pooled vector. `tokens` are what `forward_features` gives, so
    without it in the second case.

    Args:
        model: the Vision Transformer.
        pool: row of `FEATURES`. "model": what the model's own pooling gives, the input of its head; "pre_logits": the
            same after the representation layer, if there is one; "class_token"; "mean": the mean of the patches;
            "tokens": every token, those before the patches first.

    Raises:
        ConfigError: for an unknown pool, or for the class token of a model that has none.
    """

    def __init__(self, model: VisionTransformer, pool: str = "model") -> None:
        super().__init__()
        self.model = model
        self.reduce = FEATURES[pool]
        if pool == "class_token" and not model.config.tokens.class_token:
            raise ConfigError("pool = 'class_token': this model has no class token", hint="use model, mean or tokens")

    def forward(self, images: Images) -> Tensor:
        return self.reduce(self.model, self.model.forward_features(images))

    def shape(self, grid: Grid | None = None) -> tuple[int, ...]:
        """Say what shape the features of one image have.

        Args:
            grid: rows and columns of patches of the image; None for those of the config.

        Returns:
            (dim,), or (tokens, dim).
        """
        config = self.model.config
        rows, columns = grid or config.grid
        per_token = self.reduce is _tokens or (self.reduce in (_model, _pre_logits) and config.pool.per_token)
        dim = config.representation_size if self.reduce is _pre_logits else None
        shape = (dim or config.embed_dim,)
        return (config.tokens.count + rows * columns, *shape) if per_token else shape
