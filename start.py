"""Install into .venv beside this file, then run: ``python start.py demo`` or ``... test``.

One line on Linux, macOS and Windows; it needs Python 3.11 or later and nothing else. Both fetch
the weights of LPIPS where there is a network. Further arguments go to the demo or to pytest.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
COMMANDS = {
    "demo": ["-m", "benchmark", "demo"],
    "test": ["-m", "pytest", "-n", "auto"],
}


def install() -> None:
    """Make the environment, unless it already holds what the project asks for."""
    requirements = (HERE / "pyproject.toml").read_bytes() + (HERE / "constraints.txt").read_bytes()
    wanted = hashlib.sha256(requirements).hexdigest()
    stamp = ENVIRONMENT / "installed.txt"
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    print("Installing into .venv (once; the largest part is PyTorch) ...", flush=True)
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", "constraints.txt", "-e", ".[dev]"], cwd=HERE, check=True)
    stamp.write_text(wanted, encoding="ascii")


def main() -> int:
    """Install, then run one of the commands; its exit status is ours."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file may meet any Python
        print("Python 3.11 or later is needed; this is", sys.version.split()[0], file=sys.stderr)
        return 2
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(f"usage: python start.py {{{','.join(COMMANDS)}}} [arguments]", file=sys.stderr)
        return 2
    try:
        install()
        if sys.argv[1] == "test":
            # Without them, as where there is no network, the tests of LPIPS are skipped.
            weights = [str(PYTHON), "-m", "benchmark", "weights"]
            subprocess.run(weights, cwd=HERE, check=False)
        command = [str(PYTHON), *COMMANDS[sys.argv[1]], *sys.argv[2:]]
        return subprocess.run(command, cwd=HERE, check=False).returncode
    except subprocess.CalledProcessError:
        print("The installation failed; pip says why above.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
