"""`--import`: modules of the user, imported before anything else."""

import re
import sys

import pytest

from se_keras.cli.user_modules import import_modules
from se_keras.errors import UsageError


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """Starts in an empty directory; forgets the modules and paths of the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path, text="value = 3\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("modules", [None, "", " , "])
def test_nothing(modules):
    before = set(sys.modules), [*sys.path]
    import_modules(modules)
    assert (set(sys.modules), sys.path) == before


def test_names_are_found_from_the_current_directory(tmp_path):
    write(tmp_path / "my_nets.py")
    write(tmp_path / "my_package" / "nets.py")
    import_modules("my_nets, my_package.nets")
    assert sys.modules["my_nets"].value == 3
    assert sys.modules["my_package.nets"].value == 3


@pytest.mark.parametrize("form", ["absolute", "relative", "home"])
def test_files_find_what_is_beside_them(form, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "deep" / "my-nets.py", "from my_blocks import value\n")
    write(tmp_path / "deep" / "my_blocks.py")
    start = {"absolute": f"{tmp_path}/", "relative": "", "home": "~/"}[form]
    import_modules(f"{start}deep/my-nets.py")
    assert sys.modules["my-nets"].value == 3


def test_a_file_is_imported_once(tmp_path):
    write(tmp_path / "my_nets.py", "import sys\nsys.path.append('mark')\n")
    import_modules("my_nets.py,my_nets")
    import_modules(str(tmp_path / "my_nets.py"))
    assert sys.path.count("mark") == 1


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("missing", "is installed or in the current directory.*'missing'"),
        ("missing.nets", "is installed or in the current directory.*'missing.nets'"),
        ("my_nets.deeper", "is installed or in the current directory"),
        ("missing.py", "there is none. Received: 'missing.py'"),
        ("directory.py", "there is none"),
        ("my nets", "a module's name.*Received: 'my nets'"),
        ("nets/my_nets", "a module's name.*Received: 'nets/my_nets'"),
        ("json.py", "a name that no other module has.*json is .*json/__init__.py"),
        ("sys.py", "a name that no other module has.*sys is part of Python"),
        ("syntax", r"can be imported.*SyntaxError.*syntax.py, line 2"),
        ("syntax.py", r"can be imported.*SyntaxError.*syntax.py, line 2"),
        ("raises", r"can be imported.*KeyError: 'x', .*raises.py, line 3"),
        ("raises.py", r"can be imported.*KeyError: 'x', .*raises.py, line 3"),
        ("needs.py", r"can be imported.*No module named 'absent', .*needs.py, line 1"),
        ("needs", r"can be imported.*No module named 'absent', .*needs.py, line 1"),
    ],
)
def test_errors(module, message, tmp_path):
    write(tmp_path / "my_nets.py")
    for name in ("json.py", "sys.py"):
        write(tmp_path / name)
    write(tmp_path / "syntax.py", "x = 3\nx =\n")
    write(tmp_path / "raises.py", "import re\n\n{}['x']\n")
    write(tmp_path / "needs.py", "import absent\n")
    (tmp_path / "directory.py").mkdir()
    with pytest.raises(UsageError) as error:
        import_modules(module)
    assert str(error.value).startswith("Expected --import of a ")
    assert re.search(message, str(error.value))
    assert "\n" not in str(error.value)
    # What failed can be corrected and imported again.
    assert module.removesuffix(".py") not in sys.modules or module in (
        "json.py",
        "sys.py",
    )
