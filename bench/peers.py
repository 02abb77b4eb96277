"""The Python in which peers are measured, and the page that their table goes to."""
import os
import pathlib
import subprocess
import sys


def enter_environment(variable, folder, packages):
    """Runs this script again in the virtual environment that the environment variable names (default:
    ~/.cache/cograd/FOLDER), which is made with these packages. Returns in it, or where the variable is "system"."""
    env = pathlib.Path(os.environ.get(variable, pathlib.Path.home() / ".cache/cograd" / folder))
    python = env / "bin/python"
    if str(env) == "system" or pathlib.Path(sys.prefix).resolve() == env.resolve():
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", env], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    os.execv(python, [str(python), *sys.argv])


def update_section(path, name, change):
    """Replaces what stands between <!-- NAME --> and <!-- /NAME --> in a page by change(old)."""
    begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    head, rest = path.read_text().split(begin)
    old, tail = rest.split(end)
    path.write_text(head + begin + change(old) + end + tail)
