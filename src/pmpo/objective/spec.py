"""Parts of an objective as data: part <-> mapping <-> text, one way for those of the library and for a user's own.

    0.5                                                             a fixed exponent
    clip_aware_ess:saturation=0.1                                   text; `saturation` finds its place in the map
    {rule: clip_aware_ess, target: {map: ramp, saturation: 0.1}}    the same as a mapping
    mine.rules:Falling:gamma=0.5                                    a rule of one's own, from a module or a file

The options of a part are its dataclass fields. A field that holds a part itself says so in its metadata,
`field(..., metadata={"part": "target"})` with a key of `kinds.KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from math import isfinite
from typing import Any

from pmpo.foundation.errors import InputError, nearest, shortened, unknown_name
from pmpo.foundation.named import is_named, load_named
from pmpo.foundation.spec import Spec, as_spec
from pmpo.objective.kinds import KINDS, Kind, is_instance
from pmpo.objective.options import REQUIRED, Option, options_of

NONE = "none"
"""How it is written that an optional part is not there."""

# ---- from data -----------------------------------------------------------------------------------------------------


def part_of(kind: Kind, value: Any) -> Any:
    """A part from text, a mapping, a number, a class, or a part, which is given back as it is.

    Raises: InputError for unknown names, with the nearest, and for options that the part has not or that are of
        another type; ValueError for values that the part refuses itself.

    >>> part_of(KINDS["exponent"], "clip_aware_ess:saturation=0.2")
    ClipAwareESS(reading='two_sided', target=RampMap(saturation=0.2), over='clipped')
    """
    number = _as_number(value) if kind.number is not None else None
    if kind.number is not None and number is not None:
        return kind.number(number)
    if isinstance(value, type):
        return _made(kind, value, Spec(value.__qualname__))
    if kind.optional and value == NONE:
        return None
    if not isinstance(value, str | Mapping | Spec):
        return value
    spec = as_spec(value, kind.what, kind.key)
    return _made(kind, _class_of(kind, spec.name), spec)


def options_from(owner: str, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for the fields of `cls` from options as they are written.

    Args:
        owner: whose options they are, for messages: "the trust region ratio".
    Raises: InputError for names that are no options, and values of another type.
    """
    options = options_of(cls)
    values = {}
    for name, value in _placed(owner, options, given).items():
        option = options[name]
        values[name] = option.read(value, owner) if option.part is None else part_of(KINDS[option.part], value)
    return values


def _as_number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _class_of(kind: Kind, name: str) -> Any:
    if name in kind.known:
        return kind.known[name]
    if is_named(name):
        return load_named(name, kind.what)
    raise InputError(unknown_name(kind.what, name, kind.known))


def _made(kind: Kind, cls: Any, spec: Spec) -> Any:
    if kind.base is not object and not (isinstance(cls, type) and issubclass(cls, kind.base)):
        raise InputError(f"{spec.name} is no {kind.what}: write a dataclass that inherits from {kind.base.__name__}.")
    if not isinstance(cls, type) and callable(cls):
        if spec.options:
            raise InputError(
                f"The {kind.what} {spec.name} is a function and has no options, got {', '.join(spec.options)}: write a "
                "dataclass with these fields and `__call__`."
            )
        return cls
    if not is_dataclass(cls) or not isinstance(cls, type):
        raise InputError(
            f"{spec.name} is no {kind.what}: write a dataclass, whose fields are its options, or a function."
        )
    _check_key(kind, cls)
    owner = f"the {kind.what} {spec.name}"
    values = options_from(owner, cls, spec.options)
    missing = [n for n, option in options_of(cls).items() if option.default is REQUIRED and n not in values]
    if missing:
        example = Spec(spec.name, dict.fromkeys(missing, "…"))
        raise InputError(f"T{owner[1:]} needs {' and '.join(missing)}; write {example}.")
    return cls(**values)


def _check_key(kind: Kind, cls: type) -> None:
    if kind.key in options_of(cls):
        raise InputError(
            f"The {kind.what} {cls.__qualname__} has a field {kind.key!r}, under which a mapping has the name of the "
            "part: give the field another name."
        )


def _placed(owner: str, options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options with those of a part inside (`saturation`) put into that part's (`target`)."""
    placed = {name: value for name, value in given.items() if name in options}
    inner: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        if name not in options:
            holder = next((o.name for o in options.values() if o.part and KINDS[o.part].owners({name})), None)
            if holder is None:
                raise InputError(_no_option(owner, options, name))
            inner.setdefault(holder, {})[name] = value
    for holder, those in inner.items():
        kind = KINDS[options[holder].part or ""]
        placed[holder] = _joined(kind, f"`{holder}` of {owner}", placed.get(holder), those)
    return placed


def _joined(kind: Kind, where: str, chosen: Any, options: dict[str, Any]) -> Spec:
    """The part inside, as it is chosen or as its options tell it, with these options."""
    if chosen is None:
        owners = kind.owners(options)
        if len(owners) != 1:
            belong = " and ".join(f"{name} belongs to {' or '.join(kind.owners({name}))}" for name in options)
            raise InputError(f"For {where}, {belong}: write those of one {kind.what}.")
        return Spec(owners[0], options)
    if _as_number(chosen) is not None:
        raise InputError(f"{where[0].upper()}{where[1:]} is the number {chosen}, which has no {', '.join(options)}.")
    spec = as_spec(chosen, kind.what, kind.key)
    return Spec(spec.name, {**spec.options, **options})


def _no_option(owner: str, options: Mapping[str, Option], name: str) -> str:
    inside = [n for o in options.values() if o.part for cls in KINDS[o.part].known.values() for n in options_of(cls)]
    others = [
        f" {name} belongs to the {kind.what} {' and '.join(owners)}."
        for kind in KINDS.values()
        if (owners := kind.owners({name}))
    ]
    has = f"it has {', '.join(options)}" if options else "it has none"
    hint = others[0] if others else nearest(name, [*options, *inside])
    return f"{owner[0].upper()}{owner[1:]} has no option {name!r}; {has}.{hint}"


# ---- to data -------------------------------------------------------------------------------------------------------


def data_of(kind: Kind, part: Any) -> dict[str, Any] | float | None:
    """A part as a JSON-able mapping from which `part_of` makes it again: its name and all of its options.

    None for an optional part that is not there.

    Raises: InputError for a part without a name, and for an option that is no plain value.

    >>> data_of(KINDS["trust_region"], part_of(KINDS["trust_region"], "none"))
    {'region': 'none', 'dual_clip_ratio': None}
    """
    if kind.optional and part is None:
        return None
    if isinstance(part, int | float):
        return float(part)
    name = {kind.key: kind.name(part)}
    if not is_instance(part):
        return name
    _check_key(kind, type(part))
    return {**name, **fields_of(f"the {kind.what} {name[kind.key]}", part)}


def fields_of(owner: str, part: Any) -> dict[str, Any]:
    """The fields of a dataclass as plain values and mappings."""
    return {
        name: _plain(option, getattr(part, name), owner)
        if option.part is None
        else data_of(KINDS[option.part], getattr(part, name))
        for name, option in options_of(type(part)).items()
    }


def written(kind: Kind, value: Any) -> Any:
    """What a configuration keeps of a part: text, mappings and numbers as they are, everything else as its data.

    Raises: InputError as `data_of`.
    """
    is_data = value is None or isinstance(value, str | Mapping | int | float)
    return value if is_data else data_of(kind, part_of(kind, value))


def text_of(kind: Kind, part: Any) -> str:
    """The shortest text from which `part_of` makes the part again: options that have their default are left out.

    >>> text_of(KINDS["exponent"], part_of(KINDS["exponent"], "clip_aware_ess:kappa=0.3"))
    'clip_aware_ess:target={"map":"power","kappa":0.3}'
    """
    short = shortened_data(kind, part)
    if short is None:
        return NONE
    return str(short if isinstance(short, float) else as_spec(short, kind.what, kind.key))


def shortened_data(kind: Kind, part: Any) -> Any:
    """As `data_of`, without the options that have their default; only the name, or the number, where that is all."""
    data = data_of(kind, part)
    if not isinstance(data, dict):
        return data
    if not is_instance(part):
        return data[kind.key]
    if type(part) is kind.number:
        return data["value"]
    short = {kind.key: data[kind.key]}
    for name, option in options_of(type(part)).items():
        value = getattr(part, name)
        if option.default is REQUIRED or value != option.default:
            short[name] = data[name] if option.part is None else shortened_data(KINDS[option.part], value)
    return short if len(short) > 1 else short[kind.key]


def _plain(option: Option, value: Any, owner: str) -> Any:
    """A value as JSON has it; infinity as the text that `Option.read` knows."""
    if isinstance(value, int) and not isinstance(value, bool) and float in option.types and int not in option.types:
        value = float(value)
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(option, each, owner) for each in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(option, each, owner) for key, each in value.items()}
    raise InputError(
        f"`{option.name}` of {owner} is {shortened(repr(value))}, which cannot be written down and read back: numbers, "
        "text, true and false, and lists of them can."
    )
