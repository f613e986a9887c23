"""conf/, and a user's own folders beside it, composed by Hydra."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from fewshot_audio.components import near
from fewshot_audio.types import ConfigError

CONF = Path(__file__).parent / "conf"  # a link to conf/ of the repository
PRIMARY = "config"
SEARCHPATH = "hydra.searchpath"


@contextmanager
def loader() -> Iterator[ConfigLoader]:
    """Give Hydra's loader of conf/; also within hydra.main, which has one of its own."""
    instance = GlobalHydra.instance()
    before, instance.hydra = instance.hydra, None
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = before  # another instance, which Hydra has put there


def composed(overrides: Sequence[str]) -> DictConfig:
    """Return conf/config.yaml with overrides as on the command line."""
    with loader():
        return hydra.compose(PRIMARY, list(overrides))


def choices(group: str, overrides: Sequence[str] = ()) -> list[str]:
    """Return what a group can be, in conf/ and in the folders of hydra.searchpath."""
    with loader() as files:
        kind = ObjectType.CONFIG if group else ObjectType.GROUP
        names = files.get_group_options(group, kind, PRIMARY, searchpath(overrides))
    return sorted(name for name in names if name not in ("hydra", "_internal_logging"))


def complete(group: str, overrides: Sequence[str] = ()) -> list[str]:
    """Return the choices of a group whose files leave no setting to the user."""
    files = files_of(group, overrides)
    return [name for name, file in files.items() if "???" not in OmegaConf.to_yaml(file)]


def groups(overrides: Sequence[str] = ()) -> list[str]:
    """Return the groups of conf/ and of the folders of hydra.searchpath."""
    return choices("", overrides)


def files_of(group: str, overrides: Sequence[str] = ()) -> Mapping[str, DictConfig]:
    """Return the settings in each file of a group, by its name, without those of its defaults."""
    with loader() as files:
        _, repository = files._parse_overrides_and_create_caching_repo(  # type: ignore[attr-defined]
            PRIMARY, searchpath(overrides)
        )
        names = sorted(repository.get_group_options(group, ObjectType.CONFIG))
        return {name: repository.load_config(f"{group}/{name}").config for name in names}


def searchpath(overrides: Sequence[str]) -> list[str]:
    """Return those of some overrides that name the user's own folders."""
    return [text for text in overrides if text.startswith(SEARCHPATH)]


@cache
def parsed_once(text: str) -> Override:
    """Return an override of the command line as Hydra reads it."""
    return parsed([text])[0]


def parsed(overrides: Sequence[str]) -> list[Override]:
    """Return overrides of the command line as Hydra reads them."""
    return OverridesParser.create().parse_overrides(list(overrides))


def check_names(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """ConfigError where a setting is none of conf/, lacks, or a study sets nothing."""
    if "study" in cfg:
        raise ConfigError(
            "study: its yaml sets nothing; let its first line be '# @package _global_'"
        )
    known = _top_names(tuple(searchpath(overrides)))
    for key in cfg:
        if str(key) not in known:
            raise ConfigError(f"{key!s}: no such setting{near(str(key), known)}")
    for name in sorted(_always_set() - set(map(str, cfg))):
        raise ConfigError(f"{name} is not set; remove ~{name} from the command")


@cache
def _top_names(folders: tuple[str, ...]) -> set[str]:
    """Return the names of groups and of the settings in config.yaml."""
    return _always_set() | set(groups(folders))


@cache
def _always_set() -> set[str]:
    """Return the names of the settings in config.yaml, and of those groups that are not none."""
    settings: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{PRIMARY}.yaml"), resolve=False)
    chosen = [each for each in settings.pop("defaults") if isinstance(each, dict)]
    groups = {name for each in chosen for name, choice in each.items() if choice != "none"}
    return {name for name in {*settings, *groups} - {"hydra"} if not name.startswith("override")}


def overrides_of_command() -> list[str]:
    """Return the overrides of the command that runs under hydra.main, its folders among them."""
    if not HydraConfig.initialized():
        return []
    command = HydraConfig.get()
    overrides = [*command.overrides.task, *command.overrides.hydra]
    folders = [
        f"{source.schema}://{source.path}"
        for source in command.runtime.config_sources
        if source.provider in ("command-line", "hydra.searchpath in command-line")
    ]
    others = [text for text in overrides if not text.startswith(SEARCHPATH)]
    return [*others, _searchpath_override(folders)] if folders else others


def with_searchpath(overrides: Sequence[str], folder: str | None) -> list[str]:
    """Return overrides with the folder of --config-dir added to those of hydra.searchpath."""
    if folder is None:
        return list(overrides)
    folders = [f"file://{Path(folder).resolve()}"]
    for text in searchpath(overrides):
        value: Any = parsed_once(text).value()
        folders += value
    others = [text for text in overrides if not text.startswith(SEARCHPATH)]
    return [*others, _searchpath_override(folders)]


def _searchpath_override(folders: Sequence[str]) -> str:
    texts = [text if re.fullmatch(r"[\w:/.-]+", text) else repr(text) for text in folders]
    return f"{SEARCHPATH}=[{','.join(texts)}]"
