"""Run mutmut over the function, in a folder with the layout that it knows, and print the score of each module.

It resumes the previous run, and stops after MINUTES.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.sandbox.aws import ROOT

FOLDER = ROOT / ".mutation_cache"
LINKS = {
    "src": "functions",
    "pyproject.toml": "tests/mutation/pyproject.toml",
    **{name: name for name in ("events", "README.md", "template.yaml", "tests")},
}
MUTMUT = Path(sys.executable).with_name("mutmut")
# Exit codes of pytest and mutmut. All others mean that a test failed, or that the mutant hangs.
NOT_KILLED = {0: "survived", 5: "untested", 33: "untested", None: "not run"}


def main() -> None:
    """Arguments are names of mutants, with wildcards, which are tried again."""
    FOLDER.mkdir(exist_ok=True)
    for name, target in LINKS.items():
        with suppress(FileExistsError):
            (FOLDER / name).symlink_to(ROOT / target)
    minutes = float(os.environ.get("MINUTES", "60"))
    with suppress(subprocess.TimeoutExpired):
        command: list[str | Path] = [MUTMUT, "run", "--max-children", "1", *sys.argv[1:]]
        subprocess.run(command, cwd=FOLDER, timeout=60 * minutes, check=True)
    for file in sorted(FOLDER.glob("mutants/src/**/*.meta")):
        codes = json.loads(file.read_text())["exit_code_by_key"]
        if codes:
            print_score(str(file.relative_to(FOLDER / "mutants/src").with_suffix("")), codes)


def print_score(module: str, codes: Mapping[str, int | None]) -> None:
    outcomes = Counter(NOT_KILLED.get(code, "killed") for code in codes.values())
    print(module, ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    for name, code in codes.items():
        if code is not None and code in NOT_KILLED:
            print(f"    {NOT_KILLED[code]}: {name}")


if __name__ == "__main__":
    main()
