"""TensorBoard's summaries in its present format, with names and captions: its fast loader drops those of the older format."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # type: ignore[attr-defined]  (made at run time)
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams.metadata import EXPERIMENT_TAG, PLUGIN_DATA_VERSION, PLUGIN_NAME, SESSION_START_INFO_TAG
from tensorboard.plugins.image.metadata import create_summary_metadata as image_metadata
from tensorboard.plugins.scalar.metadata import create_summary_metadata as scalar_metadata
from tensorboard.plugins.text.metadata import create_summary_metadata as text_metadata
from tensorboard.util.tensor_util import make_tensor_proto

Setting = float | str | bool
# Made at run time.
_api: Any = api_pb2
_data: Any = plugin_data_pb2


def scalar(tag: str, value: float, name: str, caption: str) -> Summary:
    """One point of a curve."""
    return _one(tag, scalar_metadata(name, caption), make_tensor_proto(float(value), dtype=np.float32))


def text(tag: str, markdown: str, name: str, caption: str) -> Summary:
    """A text in Markdown."""
    return _one(tag, text_metadata(name, caption), make_tensor_proto([markdown.encode()]))


def image(tag: str, encoded: bytes, size: tuple[int, int], name: str, caption: str) -> Summary:
    """A picture.

    Args:
        encoded: a PNG or GIF file.
        size: its height and width in pixels.
    """
    height, width = size
    return _one(tag, image_metadata(name, caption), make_tensor_proto([str(width).encode(), str(height).encode(), encoded]))


def hyperparameters(settings: Mapping[str, Setting], metrics: Sequence[tuple[str, str]], started: float) -> list[Summary]:
    """A run's row in TensorBoard's table of hyperparameters: what columns there are, and this run's entries.

    Args:
        settings: the run's hyperparameters by name; numbers that aren't finite are left out.
        metrics: (folder below the run's, tag) of the scalars that the table shows; an empty folder is the run's own.
        started: seconds since 1970.
    """
    known = {name: value for name, value in settings.items() if not isinstance(value, float) or math.isfinite(value)}
    start = _data.SessionStartInfo(start_time_secs=started)
    columns = []
    for name, value in known.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value, kind = value, "DATA_TYPE_BOOL"
        elif isinstance(value, str):
            start.hparams[name].string_value, kind = value, "DATA_TYPE_STRING"
        else:
            start.hparams[name].number_value, kind = value, "DATA_TYPE_FLOAT64"
        columns.append(_api.HParamInfo(name=name, type=_api.DataType.Value(kind)))
    shown = [
        _api.MetricInfo(name=_api.MetricName(group=folder, tag=tag), display_name=tag.partition("/")[2])
        for folder, tag in metrics
    ]
    return [
        _of_table(EXPERIMENT_TAG, _data.HParamsPluginData(experiment=_api.Experiment(hparam_infos=columns, metric_infos=shown))),
        _of_table(SESSION_START_INFO_TAG, _data.HParamsPluginData(session_start_info=start)),
    ]


def _of_table(tag: str, content: Any) -> Summary:
    content.version = PLUGIN_DATA_VERSION
    plugin = SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME, content=content.SerializeToString())
    return _one(tag, SummaryMetadata(plugin_data=plugin), make_tensor_proto(0.0, dtype=np.float32))


def _one(tag: str, metadata: SummaryMetadata, tensor: object) -> Summary:
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])
