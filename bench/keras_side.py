"""Keras's side of one measurement, a process of its own: `python bench/keras_side.py REQUEST.json` prints one line of JSON.

Keras runs model.fit over numpy float32 arrays, its fastest usual way; starting weights, pictures and batch order are those of our side.
The pictures are permuted beforehand and fit does not shuffle: after set_random_seed it would repeat one permutation in every epoch.
The clock runs from on_epoch_begin to on_epoch_end, so building the input pipeline is not counted against Keras. Peak memory comes from a
process of its own ("purpose": "memory") that holds the training pictures and calls fit once.
"""

import json
import os
import sys
import time

import keras
import numpy as np
import tensorflow as tf

# Memory does not grow after the first steps of an epoch; measured equal for 40 steps and for 860.
MEMORY_STEPS = 40
LAYER_OPTIONS = {
    "filters": "filters",
    "kernelSize": "kernel_size",
    "poolSize": "pool_size",
    "strides": "strides",
    "padding": "padding",
    "useBias": "use_bias",
    "units": "units",
    "rate": "rate",
    "activation": "activation",
    "name": "name",
}


class EpochClock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.started, self.cpu_started = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.started
        self.cpu_seconds = time.process_time() - self.cpu_started


class FirstStep(keras.callbacks.Callback):
    ended_at = None

    def on_train_batch_end(self, batch, logs=None):
        if self.ended_at is None:
            self.ended_at = time.time()


def build(recipe, shape, precision):
    layers = [keras.layers.Input(shape)]
    for layer in recipe["network"]["layers"]:
        options = {LAYER_OPTIONS[key]: value for key, value in layer.items() if key in LAYER_OPTIONS and value is not None}
        layers.append(getattr(keras.layers, layer["type"])(**options))
    if precision != "float32":
        # Keras's guide to mixed precision: the softmax stays in float32.
        name = "probabilities"
        if isinstance(layers[-1], keras.layers.Dense):
            layers[-1].activation = keras.activations.linear
        else:
            name = layers.pop().name
        layers.append(keras.layers.Activation("softmax", dtype="float32", name=name))
    return keras.Sequential(layers)


def freeze(model, trainable):
    if trainable["type"] == "all":
        return
    assert trainable["type"] == "freezeUpTo", trainable
    for layer in model.layers:
        layer.trainable = False
        if layer.name == trainable["layer"]:
            return


def make_optimizer(options):
    """Only what the compared recipes use: type and learning rate; every other option is Keras's default on both sides."""
    return getattr(keras.optimizers, options["type"])(learning_rate=options["learningRate"])


def read_weights(file):
    with open(file, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
        data = stream.read()
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]) for name, entry in header.items()
    }


def assign_weights(model, weights):
    left = dict(weights)
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(left.pop(f"{layer.name}/{variable.name}"))
    assert not left or all("seed" in name for name in left), f"weights without a place: {sorted(left)}"


class Pictures:
    """All training pictures in one float32 array that is filled anew for each epoch: permuting costs Keras no memory."""

    def __init__(self, work, prepared):
        self.shape = prepared["shape"]
        folder = work["datasetFolder"]
        self.images = os.path.join(folder, "images.bin")
        labels = np.fromfile(os.path.join(folder, "labels.bin"), "<u2")
        classes = work["recipe"]["phases"][work["phase"]].get("classes")
        if classes is None:
            self.labels = labels.astype("int32")
        else:
            relabel = np.full(65536, -1, "int32")
            relabel[classes] = np.arange(len(classes))
            self.labels = relabel[labels]
        self.x = np.empty((prepared["count"], *self.shape), "float32")

    def fill(self, order):
        packed = np.memmap(self.images, "uint8", "r").reshape(-1, *self.shape)
        for start in range(0, len(order), 4096):
            part = order[start : start + 4096]
            np.divide(packed[part], np.float32(255), out=self.x[start : start + len(part)])
        return self.x[: len(order)], self.labels[order]


def read_peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def main(request):
    work, prepared, variant = request["work"], request["prepared"], request["variant"]
    recipe, phase = work["recipe"], work["recipe"]["phases"][work["phase"]]
    assert recipe["input"]["scaling"] == "unit"
    if phase["precision"] != "float32":
        keras.config.set_dtype_policy(phase["precision"])
    is_for_memory = request["purpose"] == "memory"
    batch, steps, partial = prepared["batchSize"], prepared["steps"], prepared["partial"]
    orders = np.fromfile(prepared["orderFile"], "<u4").reshape(2, -1)
    pictures = Pictures(work, prepared)
    model = build(recipe, prepared["shape"], phase["precision"])
    assign_weights(model, read_weights(work["weightsFile"]))
    if variant["scope"] == "phase":
        freeze(model, phase["trainable"])
    jit = {"auto": "auto", "true": True, "false": False}[variant["jit"]]
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=make_optimizer(phase["optimizer"]),
        metrics=["accuracy"],
        jit_compile=jit,
    )
    fit = {"batch_size": batch, "shuffle": False, "verbose": 0}
    if is_for_memory:
        # One fit, as in a person's program: a second one would convert its pictures on top of the memory the first still holds.
        model.fit(*pictures.fill(orders[1]), steps_per_epoch=min(MEMORY_STEPS, steps), **fit)
        return {"peakBytes": read_peak()}
    warmup = orders[0][: min(work["warmupSteps"], steps - 1) * batch]
    if partial > 0:
        warmup = np.concatenate([warmup, orders[0][-partial:]])
    timed_steps = min(work["timedSteps"] or steps, steps)
    first = FirstStep()
    warm = model.fit(*pictures.fill(warmup), callbacks=[first], **fit)
    clock = EpochClock()
    part = {} if timed_steps == steps else {"steps_per_epoch": timed_steps}
    history = model.fit(*pictures.fill(orders[1]), callbacks=[clock], **part, **fit)
    return {
        "seconds": clock.seconds,
        "cpuSeconds": clock.cpu_seconds,
        "processCpuSeconds": time.process_time(),
        "steps": timed_steps,
        "warmupLoss": warm.history["loss"][0],
        "loss": history.history["loss"][0],
        "firstStepSeconds": first.ended_at - request["startedAt"] / 1000,
        "peakBytes": read_peak(),
        "features": None,
        "jitCompile": bool(model.jit_compile),
        "versions": {"python": sys.version.split()[0], "tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__},
    }


if __name__ == "__main__":
    with open(sys.argv[1]) as stream:
        print(json.dumps(main(json.load(stream))), flush=True)
