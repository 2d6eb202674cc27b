"""The build backend of pyproject.toml: setuptools' own, with the front end of the report bundled first (bundle.py).

So `pip install .` and `pip install --editable .` give a working report, and nothing that is built needs to be kept in the repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import get_requires_for_build_sdist, prepare_metadata_for_build_editable, prepare_metadata_for_build_wheel

from report.web import bundle

__all__ = (
    "build_editable", "build_sdist", "build_wheel", "get_requires_for_build_editable", "get_requires_for_build_sdist",
    "get_requires_for_build_wheel", "prepare_metadata_for_build_editable", "prepare_metadata_for_build_wheel",
)

_Settings = Mapping[str, Any] | None


def get_requires_for_build_wheel(config_settings: _Settings = None) -> list[str]:
    """What pip is to install before it calls `build_wheel`."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *bundle.requires()]


def get_requires_for_build_editable(config_settings: _Settings = None) -> list[str]:
    """What pip is to install before it calls `build_editable`."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *bundle.requires()]


def build_wheel(wheel_directory: str, config_settings: _Settings = None, metadata_directory: str | None = None) -> str:
    """The wheel, with the bundle in it."""
    bundle.build()
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    return name


def build_editable(wheel_directory: str, config_settings: _Settings = None, metadata_directory: str | None = None) -> str:
    """The link to this checkout, with the bundle in that."""
    bundle.build()
    name: str = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    return name


def build_sdist(sdist_directory: str, config_settings: _Settings = None) -> str:
    """The sources, without the bundle: whoever installs them builds it."""
    name: str = build_meta.build_sdist(sdist_directory, config_settings)
    return name
