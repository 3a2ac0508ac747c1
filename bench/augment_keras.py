"""The Keras side of bench/augment.ts: answers each line on stdin with one measurement, so that imports are paid once.

A line is JSON {"pictures": N, "batchSize": B, "side": S}; the answer is JSON {"seconds": T, "pictures": N}. The first line printed holds the versions.
"""

import json
import os
import sys
import time
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import scipy
from keras.src.legacy.preprocessing.image import ImageDataGenerator


def measure(pictures, batch_size, side):
    # float32, so that Keras need not convert; the transforms are those of document 001.
    x = np.random.default_rng(1).integers(0, 256, (pictures, side, side, 3)).astype("float32")
    y = np.zeros((pictures, 10), "float32")
    generator = ImageDataGenerator(
        zoom_range=0.25,
        height_shift_range=0.25,
        rotation_range=45,
        shear_range=0.25,
        width_shift_range=0.3,
        horizontal_flip=True,
        fill_mode="nearest",
    )
    flow = generator.flow(x, y, batch_size=batch_size)
    next(flow)
    steps = -(-pictures // batch_size)
    start = time.perf_counter()
    done = sum(len(next(flow)[0]) for _ in range(steps))
    return {"seconds": time.perf_counter() - start, "pictures": done}


warnings.simplefilter("ignore")
print(json.dumps({"keras": keras.__version__, "numpy": np.__version__, "scipy": scipy.__version__}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps(measure(order["pictures"], order["batchSize"], order["side"])), flush=True)
