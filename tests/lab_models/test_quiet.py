from __future__ import annotations

import subprocess
import sys


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_tensorflow_starts_without_a_word_and_later_words_are_seen():
    done = _run(
        "import sys\n"
        "from lab_models.quiet import import_tensorflow_quietly\n"
        "import_tensorflow_quietly()\n"
        "print('tensorflow' in sys.modules)\n"
        "print('later', file=sys.stderr)\n"
    )
    assert done.stdout == "True\n"
    assert done.stderr == "later\n"


def test_a_failing_import_shows_what_it_printed():
    done = _run(
        "import os, sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'tensorflow':\n"
        "            os.write(2, b'why it failed')\n"
        "            raise ImportError('no tensorflow')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from lab_models.quiet import import_tensorflow_quietly\n"
        "import_tensorflow_quietly()\n"
    )
    assert done.returncode == 1
    assert "why it failed" in done.stderr
    assert "ImportError: no tensorflow" in done.stderr
