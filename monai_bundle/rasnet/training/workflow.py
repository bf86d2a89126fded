"""The bundle's training, run from Python: its configuration with some settings replaced."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from monai.bundle import ConfigWorkflow

from rasnet.bundle import config_path
from rasnet.errors import RASNetError


def make_training(settings: Mapping[str, Any], config: str = "train.yaml") -> ConfigWorkflow:
    """Read a configuration and initialise it; nothing is built yet.

    Args:
        settings: values by id, for example ``{"epochs": 20, "network_def::attention": "none"}``.
        config: name of the file among the bundle's configurations.
    """
    logging.getLogger("monai.bundle.workflows").setLevel(logging.ERROR)  # warns that it was told to leave logging alone
    workflow = ConfigWorkflow(
        config_file=str(config_path(config)), workflow_type="train", logging_file=False, **settings
    )
    with clear_cause():
        workflow.initialize()
    return workflow


def run_training(settings: Mapping[str, Any], config: str = "train.yaml") -> ConfigWorkflow:
    """Train, or go on with a training that was killed.

    Returns:
        The workflow, whose parts ``workflow.parser.get_parsed_content(id)`` gives.

    Raises:
        RASNetError: a setting or the data is wrong, or the training failed.
    """
    workflow = make_training(settings, config)
    with clear_cause():
        workflow.run()
        workflow.finalize()
    return workflow


@contextmanager
def clear_cause() -> Iterator[None]:
    """Bring out the sentence that MONAI wraps into errors of its own.

    Raises:
        RASNetError: it was the cause of whatever was raised.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, RASNetError):
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from error
