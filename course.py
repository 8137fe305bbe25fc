"""Open the minqwen course, test it, or find out what is wrong here.

    python3 course.py               sets .venv up if needed and opens JupyterLab on the first lesson
    python3 course.py test          sets up, then runs every test; further arguments go to pytest (-k rope)
    python3 course.py doctor        says what is wrong here and how to mend it
    python3 course.py real-model    fetches SmolLM2-135M-Instruct once, for the cells that run a real model

Standard library only, and readable by Python 3.7, so that an old Python can say that it is too old.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "course.json"  # which requirements are in .venv; written last, so a broken set-up has none
LOG = VENV / "course.log"  # what pip said
ASSETS = ROOT / "minqwen" / "assets"
REAL_MODEL = ROOT / "models" / "smollm2-135m-instruct"  # minqwen.assets says so too

NEEDED_GB = 3.0  # .venv with the packages for tests, and pip's downloads beside it
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PORT = 8888
STEP = r" *(Obtaining|Collecting|Downloading|Using cached|Building|Installing)"  # how pip's lines begin

# glibc gives large buffers back to Linux at every training step and faults them in again; this keeps them.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}

# What pip's last words mean, and the way out. The first pattern that is found speaks.
ADVICE = {
    r"No space left on device|\[Errno 28\]|not enough space on the disk": (
        f"The disk is full. Free {NEEDED_GB:.0f} GB here (if only the temporary folder is small, set TMPDIR "
        "to a folder on a larger disk) and run the same command again."
    ),
    r"from versions: \d[^)]*\)\s*ERROR: No matching distribution found for torch": (
        f"PyTorch has no build for Python {sys.version_info[0]}.{sys.version_info[1]} on this kind of "
        "machine. 64-bit Linux, Windows and Apple-silicon Macs with Python 3.11 to 3.14 have one."
    ),
    r"connection broken by|Failed to establish|name resolution|timed out|from versions: none": (
        "The package index does not answer. Join a network (behind a proxy, set HTTPS_PROXY) and run the "
        "same command again; downloads are kept. Once it is set up, the course needs no network."
    ),
    r"Permission denied|\[Errno 13\]|Access is denied": (
        "A file may not be written. Close what uses .venv, see who owns this folder, and run it again."
    ),
}


# ---- words, clocks and programs ------------------------------------------------------------------------


def say(text):
    print(text, flush=True)


def run(command):
    """Run a short command; its exit status, and what it printed."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        done = subprocess.run(command, cwd=ROOT, timeout=300, **streams)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def run_watched(command, every=10.0):
    """Run a long command into the log, and say its last step every ten seconds: silence looks like a hang."""
    began = said = time.monotonic()
    with LOG.open("wb") as sink:
        streams = {"stdin": subprocess.DEVNULL, "stdout": sink, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, cwd=ROOT, **streams)
        try:
            while process.poll() is None:
                time.sleep(0.1)
                if time.monotonic() - said >= every:
                    said = time.monotonic()
                    say(f"  {said - began:4.0f} s  {last_step()}")
        finally:
            process.kill()  # ends pip after Ctrl-C; does nothing to a program that has ended
            process.wait()
    return process.returncode


def last_step():
    """What pip does now, in a few words."""
    steps = [line.strip() for line in log_lines() if re.match(STEP, line)]
    if steps and steps[-1].startswith("Installing"):
        return f"Installing {steps[-1].count(',') + 1} packages"
    return " ".join(steps[-1:])[:80]


def log_lines():
    return LOG.read_text(encoding="utf-8", errors="replace").strip().splitlines()


def become(command, environment):
    """Hand this terminal over: from here on signals and the exit code are the program's own."""
    environment = {**environment, **os.environ}  # what the user has set wins
    sys.stdout.flush()
    if os.name == "posix":
        os.chdir(ROOT)
        os.execve(command[0], command, environment)
    return subprocess.call(command, cwd=ROOT, env=environment)


# ---- what can be wrong before anything is installed: each returns what to do, or None --------------------


def python_problem():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = int(re.search(r'requires-python = ">=3\.(\d+)"', text).group(1))
    if sys.version_info >= (3, needed):
        return None
    newer = [f"python3.{minor}" for minor in (needed + 2, needed + 1, needed)]
    found = [name for name in newer if shutil.which(name)]
    way_out = f"`{found[0]}` is here: run `{found[0]} course.py`" if found else f"install {newer[1]} and use it"
    mine = ".".join(str(number) for number in sys.version_info[:2])
    return f"This is Python {mine}; the course needs 3.{needed} or newer: {way_out}."


def venv_problem():
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return None
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    return f"This Python cannot make virtual environments. On Debian and Ubuntu: sudo apt install {package}"


def disk_problem():
    missing = NEEDED_GB - free_gb()
    return f"The set-up needs {NEEDED_GB:.0f} GB of disk: free {missing:.1f} GB first." if missing > 0 else None


def free_gb():
    return shutil.disk_usage(ROOT).free / 1e9


# ---- setting up ----------------------------------------------------------------------------------------


def fingerprint(extra):
    """What decides the content of .venv: the requirements in pyproject.toml, and where the course lies."""
    import tomllib  # absent from the Pythons that are too old

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    added = project["optional-dependencies"][extra] if extra else []
    return hashlib.sha256(json.dumps([str(ROOT), project["dependencies"], added]).encode()).hexdigest()


def installed():
    """The fingerprint of each set of requirements that .venv was brought to."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def is_set_up(extra):
    return all(installed().get(name) == fingerprint(name) for name in ("", extra)) and venv_works()


def venv_works():
    return run([PYTHON, "-m", "pip", "--version"])[0] == 0


def set_up(extra=""):
    """Bring .venv to what pyproject.toml asks for; do nothing if it is there already."""
    began = time.monotonic()
    if is_set_up(extra):
        say(f"set-up: .venv is up to date ({time.monotonic() - began:.1f} s)")
        return
    problem = venv_problem() or disk_problem()
    if problem:
        raise SystemExit(problem)
    say(f"set-up of .venv, once, a few minutes (Python {'.'.join(map(str, sys.version_info[:3]))})")
    works = venv_works()
    others = installed() if works else {}  # what other commands had installed stays
    STAMP.unlink(missing_ok=True)
    if not works:
        make_venv()
    forget_half_installed()
    install(extra)
    status, words = run([PYTHON, "-c", "import jupyterlab, minqwen, torch; print(torch.__version__)"])
    if status:
        raise SystemExit(f"{words}\nThe packages do not load: delete .venv and run the same command again.")
    STAMP.write_text(json.dumps({**others, "": fingerprint(""), extra: fingerprint(extra)}), encoding="utf-8")
    say(f"  done: torch {words}, {time.monotonic() - began:.0f} s in all")


def make_venv():
    say("  makes .venv" + (" again: it is broken or half made" if VENV.exists() else ""))
    status, words = run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if status:
        raise SystemExit(f"{words}\nPython could not make .venv; `python3 course.py doctor` says more.")


def forget_half_installed():
    """Let pip install again what an interruption left without RECORD, the last file of an installation."""
    for folder in ("lib/python*/site-packages", "Lib/site-packages"):  # here; on Windows
        for info in VENV.glob(f"{folder}/*.dist-info"):
            if not (info / "RECORD").exists():
                shutil.rmtree(info)


def install(extra):
    say(f"  installs what pyproject.toml names; pip's words go to .venv/{LOG.name}")
    command = [PYTHON, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", *cpu_index(), "--editable", f".[{extra}]" if extra else "."]
    if run_watched(command):
        raise SystemExit(explain(log_lines()))


def cpu_index():
    """pip's options for PyTorch's index of CPU builds; on Linux its default build carries CUDA."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        urllib.request.urlopen(f"{TORCH_CPU_INDEX}/torch/", timeout=3).close()
    except OSError:
        say("  note: PyTorch's index of CPU builds does not answer; torch comes from pip's usual index.")
        say("        That may be the CUDA build, which works here too and is several GB larger.")
        return []
    return ["--extra-index-url", TORCH_CPU_INDEX]


def explain(lines):
    """pip's last lines, and the way out."""
    words = "\n".join(lines)
    known = [advice for pattern, advice in ADVICE.items() if re.search(pattern, words)]
    way_out = (known or ["`python3 course.py doctor` looks for the cause."])[0]
    return "\n".join(["pip stopped:", *(f"  | {line}" for line in lines[-8:]), way_out])


# ---- the four commands ---------------------------------------------------------------------------------


def lab(port, browser):
    set_up()
    copy_exercises()
    say("opens JupyterLab; Ctrl-C here stops it" if browser else "starts JupyterLab; open the link it prints")
    return become(lab_command(port, browser), {**allocator(), **lab_environment()})


def copy_exercises():
    """Give the learner a copy of each exercise in my/; what is there already is never touched."""
    for source in sorted(ROOT.glob("exercises/*/*.ipynb")):
        target = ROOT / "my" / source.relative_to(ROOT / "exercises")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            shutil.copyfile(source, part)
            part.replace(target)  # so that an interruption leaves no half exercise
            say(f"your copy: {target.relative_to(ROOT).as_posix()}")


def lab_command(port, browser):
    """JupyterLab on the first lesson."""
    lessons = sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))
    page = f"/tree/notebooks/{lessons[0].name}" if lessons else ""
    command = [str(PYTHON), "-m", "jupyterlab", f"--port={port}", f"--ServerApp.root_dir={ROOT}"]
    command += [f"--LabApp.default_url=/lab{page}"] + ([] if browser else ["--no-browser"])
    return command + (["--allow-root"] if os.name == "posix" and os.geteuid() == 0 else [])


def lab_environment():
    """Settings and open tabs apart from the user's own; JupyterLab asks for no news and looks for no updates."""
    settings = VENV / "jupyter" / "settings"
    news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    if not news.exists():
        news.parent.mkdir(parents=True, exist_ok=True)
        news.write_text('{"fetchNews": "false"}', encoding="utf-8")
    tabs = VENV / "jupyter" / "workspaces"
    return {"JUPYTERLAB_SETTINGS_DIR": str(settings), "JUPYTERLAB_WORKSPACES_DIR": str(tabs)}


def allocator():
    return ALLOCATOR if sys.platform.startswith("linux") else {}


def test(arguments):
    set_up("dev")
    environment = {"OMP_NUM_THREADS": str(os.cpu_count()), "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    return become([str(PYTHON), "-m", "pytest", *arguments], {**allocator(), **environment})


def real_model():
    """The tool says how much it downloads; here only the packages that it needs."""
    set_up("real")
    return become([str(PYTHON), str(ROOT / "tools" / "real_model.py")], allocator())


def doctor():
    """Say of everything that the course needs whether it is there; 1 if something must be mended."""
    problems = 0
    for check, needed in CHECKS:
        if check in (check_versions, check_torch) and not PYTHON.exists():
            continue
        finding, way_out = check()
        say(f"{'ok' if not way_out else 'MEND' if needed else 'note':5} {finding}")
        if way_out:
            say(f"      -> {way_out}")
            problems += needed
        if way_out and check is check_python:
            break  # the other checks are written for newer ones
    say(f"{problems} to mend, from the top" if problems else "nothing to mend")
    return 1 if problems else 0


# ---- what the doctor looks at: each returns a finding, and the way out if one is needed --------------------


def check_python():
    return f"Python {'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}", python_problem()


def check_venv_module():
    return "modules venv and ensurepip", venv_problem()


def check_disk():
    return f"disk: {free_gb():.1f} GB free", None if installed() else disk_problem()


def check_memory():
    try:
        found = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return "memory: not to be read on this system; the lessons stay below 4 GB", None
    free = int(found.group(1)) * 1024 / 1e9
    return f"memory: {free:.1f} GB free", None if free >= 4 else "close other programs: lessons take up to 4 GB"


def check_venv():
    again = "run `python3 course.py`: it makes or mends .venv"
    if not VENV.exists():
        return ".venv is not there yet", again
    if not venv_works():
        return ".venv is broken: its Python or its pip does not start", again
    if not is_set_up(""):
        return ".venv does not hold what pyproject.toml asks for", again
    return f".venv is up to date, {'with' if is_set_up('dev') else 'without'} the packages for tests", None


def check_versions():
    status, words = run([PYTHON, "-m", "pip", "check"])
    return f"versions: {words}", "delete .venv/course.json and run `python3 course.py`" if status else None


def check_torch():
    status, words = run([PYTHON, "-c", "import torch; print(torch.__version__, torch.version.cuda)"])
    if status:
        return f"torch does not load: {words[-300:]}", "delete .venv and run `python3 course.py`"
    version, cuda = words.split()[-2:]
    return f"torch {version}, {'CPU' if cuda == 'None' else 'CUDA'} build", None


def check_network():
    """Ask pip itself, so that its proxies, mirrors and certificates count."""
    python = PYTHON if PYTHON.exists() else sys.executable
    status, words = run([python, "-m", "pip", "index", "versions", "jaxtyping", "--timeout=5", "--retries=0"])
    if status:
        return f"network: pip reaches no package index ({words[-90:]})", "only the set-up needs one"
    return "network: pip reaches a package index", None


def check_chromium():
    found = [name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)]
    way_out = None if found else "the browser test is skipped; on Debian and Ubuntu: sudo apt install chromium"
    return f"browser for the browser test: {(found or ['none'])[0]}", way_out


def check_port():
    with socket.socket() as door:
        taken = door.connect_ex(("127.0.0.1", PORT)) == 0
    way_out = "JupyterLab takes the next free one; or choose: `python3 course.py --port N`" if taken else None
    return f"port {PORT} is {'taken' if taken else 'free'}", way_out


def check_assets():
    """Hold each file against minqwen/assets/hashes, which is in the form of sha256sum."""
    table = ASSETS / "hashes"
    rows = [line.split() for line in table.read_text(encoding="utf-8").splitlines()] if table.exists() else []
    wrong = [name for digest, name in rows if not has_hash(ASSETS / name, digest)]
    way_out = None if rows and not wrong else "`git checkout -- minqwen/assets` brings them back"
    return f"assets: {len(rows) - len(wrong)} of {len(rows)} are as published {' '.join(wrong)}", way_out


def check_real_model():
    if REAL_MODEL.exists():
        return f"real model: {REAL_MODEL.relative_to(ROOT).as_posix()}", None
    return "real model: not here; the cells that show one say so", "`python3 course.py real-model` (93 MB) fetches it"


def has_hash(path, digest):
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


CHECKS = (  # with whether the course needs it
    *((check_python, True), (check_venv_module, True), (check_disk, True), (check_memory, False)),
    *((check_venv, True), (check_versions, True), (check_torch, True), (check_network, False)),
    *((check_chromium, False), (check_port, False), (check_assets, True)),
    (check_real_model, False),
)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("command", nargs="?", choices=("lab", "test", "doctor", "real-model"), default="lab")
    parser.add_argument("--port", type=int, default=PORT, help="JupyterLab's port")
    parser.add_argument("--no-browser", action="store_true", help="print the link and open nothing")
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "test":
        parser.error(f"unknown: {' '.join(rest)}")
    if options.command != "doctor" and python_problem():
        raise SystemExit(python_problem())
    try:
        if options.command == "doctor":
            return doctor()
        if options.command == "real-model":
            return real_model()
        return test(rest) if options.command == "test" else lab(options.port, not options.no_browser)
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the same command goes on from here") from None


if __name__ == "__main__":
    sys.exit(main())
