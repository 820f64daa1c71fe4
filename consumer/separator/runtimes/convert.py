"""Converts a checkpoint: `python -m consumer.separator.runtimes.convert MODEL FOLDER` writes to standard output.

`models.conversion_cache` starts it, and keeps what it has written. What reads a checkpoint is imported when nothing but
that can be reached.
"""

import os
import resource
import sys
from dataclasses import replace
from pathlib import Path

from consumer.core.errors import Rejected
from consumer.separator.confinement import confine_thread
from consumer.separator.sandbox import Reach, reach_of_models, reach_of_python

_LIMITS = {
    resource.RLIMIT_FSIZE: 2 << 30,
    resource.RLIMIT_CPU: 120,
    resource.RLIMIT_AS: 8 << 30,
    resource.RLIMIT_CORE: 0,
}


def main() -> None:
    """The command that the module's text describes; ends with a line on standard error where it fails."""
    name, path = sys.argv[1:]
    folder = Path(path)
    confine_thread(Reach(reads=(*reach_of_python(), *reach_of_models(folder)), writes=()))
    for kind, most in _LIMITS.items():
        resource.setrlimit(kind, (most, most))
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)  # whatever else prints, prints to standard error
        from consumer.separator.models.checkpoint import load_checkpoint
        from consumer.separator.models.conversion import write_conversion
        from consumer.separator.models.spec import load_spec
        from consumer.separator.runtimes.native import architecture, packed

        try:
            spec = replace(load_spec(name, folder.parent), folder=folder)
            sha256, weights = load_checkpoint(spec)
            write_conversion(output, sha256, architecture(spec), packed(spec, weights))
        except Rejected as rejected:
            sys.exit(rejected.message.removeprefix(f"model {name}: "))


if __name__ == "__main__":
    main()
