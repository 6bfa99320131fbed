"""Packaging of lab-models: three packages, and extras for the people who need less or more."""

from setuptools import setup

TRAIN = [
    "tensorflow>=2.21,<2.22",
    "keras>=3.15,<3.16",
    "keras-cv==0.9.0",
    "cleanlab>=2.9",
    "defusedxml>=0.7.1",
    "ImageHash>=4.3",
    "numpy>=2.0",
    "opencv-python-headless>=4.10",
    "pandas>=2.2",
    "Pillow>=10.0",
    "rich>=13.0",
    "scikit-learn>=1.5",
    "scipy>=1.11",
    "seaborn>=0.13",
    "threadpoolctl>=3.0",
]
DEVICE = ["ai-edge-litert>=2.0", "numpy>=1.26", "Pillow>=10.0"]
EXPORT = [
    "ai-edge-litert>=2.0",
    "tf_keras>=2.21,<2.22",
    "tensorflow-model-optimization>=0.8.1",
    "tf2onnx>=1.17",
    "onnx>=1.20",
    "onnxruntime>=1.23",
]
DEVELOP = [
    "hypothesis",
    "mypy",
    "openvino>=2026.4",
    "pandas-stubs",
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "ruff",
]

setup(
    name="lab-models",
    version="0.1.0",
    description="Train, question, compare and ship blood-cell classifiers",
    python_requires=">=3.9",
    packages=[
        "lab_models",
        "lab_models.backbones",
        "lab_models.cli",
        "lab_models.contrastive",
        "lab_models.recipes",
        "lab_models.report",
        "lab_models.sanity",
        "pipelines",
        "pipelines.datasets",
        "pipelines.inspection",
        "pipelines.inspection.kinds",
        "pipelines.shards",
        "pipelines.smear",
        "tflite",
        "tflite.cures",
        "tflite.rewrites",
        "tflite.runtime",
    ],
    # A plain install is the device's own: what the runtime needs and nothing else, so that
    # the instrument never pulls in TensorFlow. Labs install lab-models[train].
    install_requires=[],
    extras_require={
        "device": DEVICE,
        "train": TRAIN + EXPORT,
        "dev": TRAIN + EXPORT + DEVELOP,
        "extras": ["umap-learn>=0.5"],
    },
    package_data={
        "lab_models.report": ["*.html", "*.css"],
        "pipelines.inspection": ["*.html"],
    },
    entry_points={
        "console_scripts": [
            "lab-models = lab_models.cli:main",
            "lab-cells = tflite.runtime.__main__:main",
        ]
    },
)
