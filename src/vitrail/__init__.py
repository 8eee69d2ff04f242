"""vitrail: the Vision Transformer toolkit. Nothing is imported before it is used."""

from typing import TYPE_CHECKING

from vitrail.core.lazy import lazy_names

if TYPE_CHECKING:
    from vitrail.core.errors import (
        ConfigError,
        DataError,
        ImageError,
        Interrupted,
        NonFiniteError,
        StorageError,
        UsageError,
        VitrailError,
        WeightsError,
    )
    from vitrail.data.spec import ImageSpec
    from vitrail.jobs.check import check
    from vitrail.jobs.convert import average
    from vitrail.jobs.evaluate import evaluate
    from vitrail.jobs.fit import fit
    from vitrail.jobs.inspect import inspect
    from vitrail.jobs.predictor import Predictor, load
    from vitrail.jobs.probe import probe_features
    from vitrail.models import VisionTransformer, ViTConfig, create_model, list_models
    from vitrail.weights.catalogue import list_pretrained

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(
        (
            "ConfigError", "DataError", "ImageError", "Interrupted", "NonFiniteError", "StorageError", "UsageError",
            "VitrailError", "WeightsError",
        ),
        "vitrail.core.errors",
    ),
    **dict.fromkeys(("ViTConfig", "VisionTransformer", "create_model", "list_models"), "vitrail.models"),
    "ImageSpec": "vitrail.data.spec",
    "analysis": "vitrail.analysis",
    "evaluation": "vitrail.evaluation",
    "Predictor": "vitrail.jobs.predictor",
    "average": "vitrail.jobs.convert",
    "check": "vitrail.jobs.check",
    "evaluate": "vitrail.jobs.evaluate",
    "fit": "vitrail.jobs.fit",
    "inspect": "vitrail.jobs.inspect",
    "list_pretrained": "vitrail.weights.catalogue",
    "load": "vitrail.jobs.predictor",
    "probe_features": "vitrail.jobs.probe",
}  # fmt: skip

__all__ = [
    "ConfigError",
    "DataError",
    "ImageError",
    "ImageSpec",
    "Interrupted",
    "NonFiniteError",
    "Predictor",
    "StorageError",
    "UsageError",
    "ViTConfig",
    "VisionTransformer",
    "VitrailError",
    "WeightsError",
    "__version__",
    "average",
    "check",
    "create_model",
    "evaluate",
    "fit",
    "inspect",
    "list_models",
    "list_pretrained",
    "load",
    "probe_features",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
