"""A network without its last convolution, so that what follows can be computed together with that."""

from __future__ import annotations

import copy
import operator
from typing import Any

from torch import fx, nn

from rasnet.networks.products import is_pointwise
from rasnet.networks.rewriting import agree, module_of


def split_classifier(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Split a network into what gives features and the 1x1 convolution that scores each pixel of them.

    Args:
        network: in float32, as `rasnet.networks.fusing` rewrites it; stays as it is. It may cut rows and columns off
            its scores, which will be cut off the features then.

    Returns:
        The features' network and the classifier, one after the other the same as the network; the network itself and
        `nn.Identity` where it does not end so.

    Examples:
        >>> network = fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)))
        >>> split_classifier(network)[1]
        Conv2d(4, 2, kernel_size=(1, 1), stride=(1, 1))
    """
    if isinstance(network, fx.GraphModule):
        last = _uncut(list(network.graph.nodes)[-1].args[0])
        classifier = module_of(network, last)
        if isinstance(last, fx.Node) and is_pointwise(classifier):
            features = copy.deepcopy(network)
            features.set_submodule(str(last.target), nn.Identity())
            if agree(network, nn.Sequential(features, classifier)):
                return features, classifier
    return network, nn.Identity()


def _uncut(result: Any) -> Any:
    """What rows and columns of a result have been cut from; None where channels may have been cut off."""
    while isinstance(result, fx.Node) and result.target is operator.getitem:
        whole, index = result.args
        rows_and_columns = isinstance(index, tuple) and len(index) == 3 and index[0] == Ellipsis
        result = whole if rows_and_columns else None
    return result
