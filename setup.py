"""What pyproject.toml cannot say: which packages a wheel holds, and what an index shows of the README.

A wheel has one package at top level. `search_spaces/` and `analysis/` lie beside `igcnas/` in the repository, so that
they are read and edited easily, and in a wheel inside it, so that no folder of a user's can stand in their way.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

BESIDE = ("search_spaces", "analysis")
# They write pages of the repository from tables of its tests.
PAGES = {("igcnas.analysis", name) for name in ("networks_page", "published", "spaces_page", "width_page")}


class Build(build_py):
    """All modules but those that are of use in the repository alone."""

    def find_package_modules(self, package, package_dir):
        """(package, module, file) of each."""
        found = super().find_package_modules(package, package_dir)
        return [one for one in found if tuple(one[:2]) not in PAGES]


def shown_on_an_index(text: str) -> str:
    """Without pictures and links that lie in the repository."""
    text = re.sub(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n+(\*[^*]*\*\n+)?", "", text, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


packages = find_packages(include=["igcnas*"])
directories = {}
for name in BESIDE:
    for package in find_packages(include=[name, f"{name}.*"]):
        inside = f"igcnas.{package}"
        packages += [inside] if inside not in packages else []
        directories[inside] = package.replace(".", "/")

setup(
    packages=packages,
    package_dir=directories,
    cmdclass={"build_py": Build},
    long_description=shown_on_an_index(Path("README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
