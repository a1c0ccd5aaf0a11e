"""Data sets by name: images in memory, a test split that no training sees, and a fingerprint which guards a resume.

loading: a data set by its name. dataset: images and labels in splits. digits, cifar, svhn, npz, imagefolder: where they
come from. listing, picture, decoding, arrays, archive, unpickling, headers, names: reading what others made. stream:
image folders that do not fit into memory. augmentation: what is done to a training image. examination, bounds, origin:
what is refused, and where data came from. cache: what was decoded once.
"""

from igcnas.moved import lending

__getattr__ = lending(
    __name__,
    {
        "DATASETS": "igcnas.data.loading",
        "Dataset": "igcnas.data.dataset",
        "Split": "igcnas.data.dataset",
        "load_dataset": "igcnas.data.loading",
    },
)
