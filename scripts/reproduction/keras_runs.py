"""Trains templates in Keras as their recipe says and prints one JSON line per phase: the comparison column of docs/reproduction.md.

Usage: python scripts/reproduction/keras_runs.py OUT.jsonl RECIPE_ID[,RECIPE_ID...] SEED[,SEED...]
The recipe files, the data in resources/ and the split are the product's; weights, order and dropout are Keras's own.
"""
import gzip
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras
import numpy as np
import tensorflow as tf

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
KERAS_NAMES = {
    "filters": "filters",
    "kernelSize": "kernel_size",
    "poolSize": "pool_size",
    "strides": "strides",
    "padding": "padding",
    "units": "units",
    "rate": "rate",
    "activation": "activation",
    "name": "name",
}


def read_idx(name, header):
    path = os.path.join(ROOT, "resources", "datasets", "fashion-mnist", name)
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def load_data():
    def part(prefix):
        pixels = read_idx(f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype("float32") / 255
        return pixels, read_idx(f"{prefix}-labels-idx1-ubyte.gz", 8).astype("int32")

    return part("train"), part("t10k")


def build(recipe):
    layers = [keras.layers.Input(recipe["dataset"]["shape"])]
    for layer in recipe["network"]["layers"]:
        options = {KERAS_NAMES[key]: value for key, value in layer.items() if key in KERAS_NAMES}
        if options.get("strides") is None:
            options.pop("strides", None)
        layers.append(getattr(keras.layers, layer["type"])(**options))
    return keras.Sequential(layers)


def optimizer_of(phase):
    options = phase["optimizer"]
    return getattr(keras.optimizers, options["type"])(learning_rate=options.get("learningRate", 0.001))


def select(data, classes):
    if classes is None:
        return data
    pixels, labels = data
    chosen = np.isin(labels, classes)
    relabel = {label: position for position, label in enumerate(classes)}
    return pixels[chosen], np.array([relabel[label] for label in labels[chosen]], "int32")


def freeze(model, recipe, phase):
    trainable = phase.get("trainable", {"type": "all"})
    for layer in model.layers:
        layer.trainable = True
    if trainable["type"] == "freezeUpTo":
        for layer in model.layers:
            layer.trainable = False
            if layer.name == trainable["layer"]:
                break


def run(recipe, seed, out):
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    train, test = load_data()
    split = recipe["splits"][recipe.get("protocol", "document")].get("validation", {"type": "none"})
    held = 0
    if split["type"] == "count":
        held = split["count"]
        assert split["position"] == "first"
    model = build(recipe)
    for phase in recipe["phases"]:
        freeze(model, recipe, phase)
        model.compile(optimizer=optimizer_of(phase), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        pixels, labels = select((train[0][held:], train[1][held:]), phase.get("classes"))
        tested = select(test, phase.get("classes"))
        seconds = []
        for _ in range(phase["epochs"]):
            # fit() repeats one permutation after set_random_seed, so each epoch gets its own here.
            order = random.permutation(len(labels))
            started = time.monotonic()
            history = model.fit(pixels[order], labels[order], batch_size=phase["batchSize"], verbose=0, shuffle=False)
            seconds.append(time.monotonic() - started)
        loss, accuracy = model.evaluate(*tested, batch_size=500, verbose=0)
        line = {
            "recipe": recipe["id"],
            "phase": phase["name"],
            "seed": seed,
            "testLoss": loss,
            "testAccuracy": accuracy,
            "trainAccuracy": history.history["accuracy"][-1],
            "secondsPerEpoch": float(np.median(seconds[1:] or seconds)),
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        }
        with open(out, "a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    out, ids, seeds = sys.argv[1:4]
    for seed in seeds.split(","):
        for recipe_id in ids.split(","):
            with open(os.path.join(ROOT, "resources", "recipes", f"{recipe_id}.json")) as file:
                run(json.load(file), int(seed), out)
