"""Which modules an adapter changes, as plain names: nobody's regular expression reaches peft.

peft takes several fields of `adapter_config.json` for regular expressions and matches them with Python's engine, which
goes back and tries again: "((.)+)+!" keeps it busy for ever, with the interpreter locked. The adapter's tensors name
the modules already, so the names are taken from there and such a pattern is never matched. Only for a value that
differs by module (a rank, an alpha) a pattern has to be matched: by the engine of Rust's `regex`, which pydantic
contains and whose time is linear in the name (docs.rs/regex, "Untrusted input").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.errors import BackendError

PREFIX = "base_model.model."
"""What peft writes before the name that a tensor or module has in the base."""

_PARTS = (".lora_", ".ln_tuning_layers.", ".ia3_l", ".hada_", ".lokr_")  # after the module's name, by kind of adapter
_ALL_LINEAR = "all-linear"
_NAME = re.compile(r"[\w.-]+")
_WORK_LIMIT = 10_000_000  # characters of patterns times characters of names; the dearest take 1 s on two busy cores
_COUNTED = re.compile(r"\{\d")  # x{9}{9}{9}: a short pattern with a machine of a million states


def with_plain_names(config: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], name: str) -> dict[str, Any]:
    """The configuration of the adapter `name` with names in place of patterns; `shapes` by tensor, as in its file.

    Raises `BackendError` for a pattern that cannot be done without and that the linear engine does not know.
    """
    plain = dict(config)
    modules = sorted({module for tensor in shapes if _is_name(module := _module_of(tensor))})
    if not all(_is_plain(config.get(field)) for field in ("target_modules", "exclude_modules", "layers_pattern")):
        plain["target_modules"] = [one for one in modules if not _has_target_parameter(one, config)]
        plain |= dict.fromkeys({"exclude_modules", "layers_pattern", "layers_to_transform"} & config.keys())
    if not _is_plain(config.get("feedforward_modules")):
        plain["feedforward_modules"] = [
            _module_of(tensor) for tensor, shape in shapes.items() if ".ia3_l" in tensor and tuple(shape[:1]) == (1,)
        ]
    for field in ("modules_to_save", "trainable_token_indices", "target_parameters"):
        patterns = config.get(field) or []
        patterns = [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(patterns, list | dict) or not all(isinstance(one, int) or _is_name(one) for one in patterns):
            raise BackendError(f"The adapter {name} has in {field} what is no name of a module.", "List plain names.")
    for field in ("rank_pattern", "alpha_pattern"):
        patterns = config.get(field)
        if isinstance(patterns, dict) and not all(map(_is_name, patterns)):
            plain[field] = dict(_by_module(patterns, modules, field, name))
    return plain


def is_quick(pattern: object) -> bool:
    """Whether a pattern that a library matches by itself is a name, with one `*` at most."""
    return isinstance(pattern, str) and bool(_NAME.fullmatch(pattern.replace("*", "", 1)))


def _module_of(tensor: str) -> str:
    """The module that a tensor of an adapter is added to, "" for a tensor that takes the place of the base's."""
    for part in _PARTS:
        module, found, _ = tensor.removeprefix(PREFIX).partition(part)
        if found:
            return module
    return ""


def _is_plain(value: object) -> bool:
    """Whether peft would match the value as it is written: nothing, names, or `all-linear`."""
    if isinstance(value, str):
        return value.lower() == _ALL_LINEAR
    return not value or (isinstance(value, list) and all(map(_is_name, value)))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(_NAME.fullmatch(value))


def _has_target_parameter(module: str, config: Mapping[str, Any]) -> bool:
    """Whether it is named by `target_parameters`, of which peft nests one in another."""
    while module.endswith(".base_layer"):
        module = module.removesuffix(".base_layer")
    parents = (str(one).rpartition(".")[0] for one in config.get("target_parameters") or ())
    return any(f".{module}".endswith(f".{parent}") for parent in parents)


def _by_module(patterns: Mapping[str, Any], modules: Sequence[str], field: str, name: str) -> Iterator[tuple[str, Any]]:
    """Module, escaped as a pattern -> value of the first pattern that it matches, by peft's rule `get_pattern_key`."""
    from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

    work = sum(map(len, patterns)) * sum(map(len, modules))
    if work > _WORK_LIMIT or any(map(_COUNTED.search, patterns)):
        raise _unusable(name, field)
    left = list(modules)
    for pattern, value in patterns.items():
        try:
            schema = core_schema.str_schema(pattern=rf"\A(?:(?:.*\.)?(?:{pattern}))\z", regex_engine="rust-regex")
            validator = SchemaValidator(schema)
        except SchemaError:
            raise _unusable(name, field) from None
        for module in list(left):
            try:
                validator.validate_python(module)
            except ValidationError:
                continue
            left.remove(module)
            yield re.escape(module), value


def _unusable(name: str, field: str) -> BackendError:
    return BackendError(
        f"The adapter {name} has in {field} a pattern that cannot be matched safely.",
        f"Write the modules' names into {field}.",
    )
