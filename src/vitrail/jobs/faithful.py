"""Which of a model's maps of an image to believe."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vitrail.analysis.faithfulness import Faithfulness, measure_faithfulness
from vitrail.jobs.device import choose_batch_size, thread_limit
from vitrail.jobs.explanation import NamedMap
from vitrail.jobs.predictor import Predictor
from vitrail.nn.shapes import Images


def measure(
    predictor: Predictor, images: Images, target: int, maps: Mapping[str, NamedMap], fill: str = "blur"
) -> Faithfulness:
    """Follow the probability of a class as patches go and come in the order of each map.

    Args:
        predictor: the trained model; its calibration counts.
        images: one, normalised, on the model's device.
        target: number of the class.
        maps: by name.
        fill: row of `FILLS`.

    Returns:
        The curves of the maps and of random orders.
    """
    size = choose_batch_size(predictor.model.config, predictor.device)

    def probability(batch: Images) -> Tensor:
        logits = predictor.record.calibration.apply(predictor.engine(batch).double().cpu().numpy())
        return torch.from_numpy(logits).softmax(dim=1)[:, target]

    values = {name: one.values for name, one in maps.items()}
    with thread_limit(predictor.model.config, size, predictor.device):
        return measure_faithfulness(
            probability, images, values, predictor.model.config.patch_size, fill, batch_size=size
        )
