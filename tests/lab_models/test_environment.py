from __future__ import annotations

import json
import re
import subprocess

from lab_models import environment


def test_says_what_a_reader_needs_to_repeat_a_run():
    facts = json.loads(json.dumps(environment.describe_environment()))
    assert re.fullmatch(r"3\.\d+\.\d+.*", facts["python"])
    assert facts["packages"]["keras"] != "not installed"
    assert facts["cores"] >= 1
    assert facts["processor"]


def test_commit_is_marked_where_files_differ(monkeypatch):
    answers = iter(["abc\n", " M file.py\n"])

    def git(words, **options):
        return subprocess.CompletedProcess(words, 0, stdout=next(answers))

    monkeypatch.setattr(environment.subprocess, "run", git)
    assert environment.git_commit() == "abc+changes"


def test_without_git_the_commit_is_empty(monkeypatch):
    def no_git(words, **options):
        raise FileNotFoundError

    monkeypatch.setattr(environment.subprocess, "run", no_git)
    assert environment.git_commit() == ""
