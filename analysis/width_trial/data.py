"""The images of each repeat: the same for every network, others for every repeat where splits are repeated."""

from __future__ import annotations

import dataclasses

import numpy as np

from igcnas.data.dataset import Dataset, Split, split_train_validation

from .settings import TrialSettings

# Data of which igcnas itself puts the test split aside: nobody compares results on it with others'.
WITHOUT_A_TEST_SPLIT = ("digits",)


def default_splits(spec: str) -> str:
    """'given' where the data come with a test split that others use, too."""
    return "repeated" if spec in WITHOUT_A_TEST_SPLIT else "given"


def pooled(dataset: Dataset, splits: str) -> Dataset:
    """For repeated splits the data set with all images as training images; else itself."""
    if splits == "given":
        return dataset
    test = dataset.load_test()
    everything = Split(
        images=np.concatenate([dataset.train.images, test.images]),
        labels=np.concatenate([dataset.train.labels, test.labels]),
    )
    return dataclasses.replace(dataset, train=everything)


def images_of(dataset: Dataset, settings: TrialSettings, repeat: int, *, tuning: bool) -> tuple[Dataset, Split]:
    """A data set to train on and the images to test on, of one repeat; `dataset` is pooled.

    Tuning never sees a given test split: it takes validation images out of the training images.
    """
    seed = settings.split_seed(repeat, tuning=tuning)
    if settings.splits == "repeated":
        training, test = split_train_validation(dataset.train, fraction=settings.test_fraction, seed=seed)
    elif tuning:
        fraction = settings.training.validation_fraction
        training, test = split_train_validation(dataset.train, fraction=fraction, seed=seed)
    else:
        return dataset, dataset.load_test()
    return dataclasses.replace(dataset, train=training), test
