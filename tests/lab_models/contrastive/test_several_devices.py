"""Two devices and two workers against one; each in processes of its own, since devices are
settled when TensorFlow starts.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from lab_models.contrastive.projection_model import ProjectionModel

PROJECT = Path(__file__).parents[3]

TWO_DEVICES = """
import sys
import keras, numpy as np, tensorflow as tf
device = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [device] * 2)
from lab_models.contrastive.losses import contrastive_loss
from tests.lab_models.contrastive.tiny import images_and_labels, projection_model

images, labels = images_and_labels(24)
weights = np.linspace(0.5, 2, 24).astype("float32")
results = {}
for count, micro_batch in ((1, 0), (2, 0), (2, 5)):
    with tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)]).scope():
        model = projection_model(dropout=0.0, micro_batch=micro_batch)
        # At rate 1 the change of the weights is the gradient.
        model.compile(keras.optimizers.SGD(1.0), contrastive_loss("supcon_out"))
    before = [np.array(w) for w in model.get_weights()]
    data = dict(x=images, y=labels, sample_weight=weights, batch_size=24)
    validation = model.evaluate(**data, verbose=0)
    fitted = model.fit(**data, shuffle=False, verbose=0)
    key = f"{count}_{micro_batch}"
    results[key + "_loss"] = np.array([validation, fitted.history["loss"][0]])
    for i, (b, a) in enumerate(zip(before, model.get_weights())):
        results[f"{key}_gradient_{i}"] = b - a
np.savez(sys.argv[1], **results)
"""


def _environment(**further: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "TF_CPP_MIN_LOG_LEVEL": "3", **further}


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    path = tmp_path_factory.mktemp("devices") / "results.npz"
    command = [sys.executable, "-c", TWO_DEVICES, str(path)]
    subprocess.run(command, env=_environment(), check=True, timeout=280, capture_output=True)
    with np.load(path) as results:
        return dict(results)


@pytest.mark.parametrize("case", ["2_0", "2_5"])
def test_two_devices_give_the_loss_and_gradient_of_one(two_devices, case):
    np.testing.assert_allclose(two_devices[f"{case}_loss"], two_devices["1_0_loss"], rtol=1e-5)
    gradients = [key for key in two_devices if key.startswith("1_0_gradient")]
    assert len(gradients) == 6
    for key in gradients:
        assert np.abs(two_devices[key]).max() > 0
        np.testing.assert_allclose(
            two_devices[key.replace("1_0", case)], two_devices[key], atol=1e-5
        )


def _script(folder: Path) -> Path:
    text = (PROJECT / "docs" / "several_devices.md").read_text(encoding="utf-8")
    code = re.search(r"```python file=train_on_workers\.py\n(.*?)```", text, re.DOTALL)
    path = folder / "train_on_workers.py"
    path.write_text(code.group(1), encoding="utf-8")
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_two_workers_end_where_one_machine_does(tmp_path):
    script = _script(tmp_path)
    alone = subprocess.run(
        [sys.executable, script, tmp_path / "alone.keras"],
        env=_environment(), check=True, timeout=280, capture_output=True, text=True,
    )  # fmt: skip
    cluster = {"worker": [f"localhost:{_free_port()}" for _ in range(2)]}
    workers = []
    for index in range(2):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        command = [sys.executable, script, tmp_path / "together.keras"]
        environment = _environment(TF_CONFIG=json.dumps(task))
        workers.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
    outputs = [worker.communicate(timeout=280)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert outputs[0] == outputs[1]
    losses = [[float(x) for x in out.split()[1:]] for out in (alone.stdout, outputs[0])]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    models = [keras.saving.load_model(tmp_path / f"{n}.keras") for n in ("alone", "together")]
    assert all(isinstance(model, ProjectionModel) for model in models)
    for mine, theirs in zip(*(model.get_weights() for model in models)):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
