"""Which profile files the SDKs read in an environment, and in which encoding botocore reads them.

Source: botocore.configprovider (`config_file`, `credentials_file`), botocore.configloader, posixpath;
PEP 538 and PEP 540 for the encoding.
"""

from __future__ import annotations

import codecs
import os
import pwd
import re
from collections.abc import Mapping

VARIABLES = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
}
# Source: `BotoProvider` in botocore.credentials.
BOTO2_VARIABLE, BOTO2_FILES = "BOTO_CONFIG", ("/etc/boto.cfg", "~/.boto")
VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})", re.ASCII)


def boto3_path(environment: Mapping[str, str], variable: str) -> str:
    """Return the path that botocore reads for a variable of `VARIABLES`; empty if it reads none."""
    name = environment.get(variable, VARIABLES[variable])
    return expand_user(expand_variables(name, environment), environment)


def paths(environment: Mapping[str, str], variable: str) -> list[str]:
    """Return each path that some SDK reads for a variable, botocore's first.

    Other SDKs treat an empty variable as not set, and expand only ``~/``.
    """
    other = environment.get(variable) or VARIABLES[variable]
    if other.startswith("~/"):
        other = expand_user(other, environment)
    return list(dict.fromkeys(filter(None, (boto3_path(environment, variable), other))))


def boto2_paths(environment: Mapping[str, str]) -> list[str]:
    """Return the files of boto 2 in which botocore looks for keys, in its order."""
    named = environment.get(BOTO2_VARIABLE)
    names = BOTO2_FILES if named is None else (named,)
    return [expand_user(expand_variables(name, environment), environment) for name in names if name]


def expand_variables(text: str, environment: Mapping[str, str]) -> str:
    """Replace ``$NAME`` and ``${NAME}`` as `os.path.expandvars` does, but from `environment`."""

    def value(found: re.Match[str]) -> str:
        name = found[1][1:-1] if found[1].startswith("{") else found[1]
        return environment.get(name, found[0])

    return VARIABLE.sub(value, text)


def expand_user(path: str, environment: Mapping[str, str]) -> str:
    """Replace a leading ``~`` or ``~user`` as `os.path.expanduser` does, but from `environment`."""
    if not path.startswith("~"):
        return path
    user, slash, rest = path[1:].partition("/")
    try:
        if user:
            home = pwd.getpwnam(user).pw_dir
        elif "HOME" in environment:
            home = environment["HOME"]
        else:
            home = pwd.getpwuid(os.getuid()).pw_dir
    except (KeyError, ValueError):
        return path
    return f"{home.rstrip('/')}{slash}{rest}" or "/"


def text_encoding(environment: Mapping[str, str]) -> str:
    """Return the encoding in which a Python program with this environment opens text files.

    Python treats a locale that is not installed as ``C``; this function does not check which are installed.
    """
    utf8_mode = environment.get("PYTHONUTF8")
    if utf8_mode == "1":
        return "utf-8"
    names = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    name = next(filter(None, names), "C")
    if name in {"C", "POSIX"}:
        coerced = environment.get("PYTHONCOERCECLOCALE") != "0" and not environment.get("LC_ALL")
        return "utf-8" if utf8_mode != "0" or coerced else "ascii"
    codeset = name.partition("@")[0].partition(".")[2]
    try:
        return codecs.lookup(codeset).name if codeset else "utf-8"
    except LookupError:
        return "utf-8"
