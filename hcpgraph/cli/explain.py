"""`hcpgraph explain`: what an error code means and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..errors import GraphErrors, did_you_mean
from .common import Command, json_option, machine, pack_option, report, said


@click.command("explain", cls=Command)
@click.argument("code", required=False)
@click.option("--lang", metavar="LANGUAGE", help="en or zh-CN. [default: that of the locale]")
@json_option
@pack_option
def command(code: str | None, lang: str | None, as_json: bool, packs: tuple[Path, ...]) -> None:
    """Say what the error CODE means and what to do about it. Without one: list all codes."""
    from ..declaring.pack import from_folder, installed
    from ..error_codes import error_codes, languages
    from ..languages import chosen_language

    known = languages()
    language = chosen_language(lang, known)
    if lang is not None and language != lang:
        raise click.BadParameter(f"'{lang}' is none of {', '.join(known)}", param_hint="--lang")
    folders = [pack.folder for pack in (*installed(), *map(from_folder, packs))]
    found, problems = error_codes(folders, language)
    report(problems)
    if code is None:
        if as_json:
            machine([asdict(found[name]) for name in sorted(found)])
            return
        width = max(map(len, found))
        for name in sorted(found):
            said(f"{name:<{width}}  {found[name].meaning}")
        return
    one = found.get(code.upper())
    if one is None:
        hint = did_you_mean(code.upper(), found, "codes")
        raise GraphErrors.one("E_CODE_UNKNOWN", f"no table of error codes has '{code}'", hint=hint)
    if as_json:
        machine(asdict(one))
        return
    said(one.code, bold=True)
    said(one.meaning)
    said(f"    -> {one.remedy}")
