# Sourced by the other scripts: makes .venv in the checkout, from nothing but a Python 3.11 or newer, and enters it.
#
# Afterwards `python`, `datatool` and the development tools on PATH are those of the checkout, and $root is its top.
# What is there is reused while pyproject.toml, the interpreter and the place of the checkout are the same.
# PYTHON=… chooses the interpreter; VENV=… another directory than .venv.

# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
venv=${VENV:-$root/.venv}

say() { printf '%s\n' "$*" >&2; }

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if command -v "$name" >/dev/null 2>&1 && is_new_enough "$name"; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

# Install Debian packages, where that is possible without asking anybody. Returns 1 where it is not.
# Servers among them are not started: the tests start their own.
apt_install() {
    local policy=/usr/sbin/policy-rc.d result=0
    [ "$(id -u 2>/dev/null || echo 1)" = 0 ] || return 1
    command -v apt-get >/dev/null 2>&1 || return 1
    say "installing $* with apt-get"
    if [ -e "$policy" ]; then
        apt_get_install "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    apt_get_install "$@" || result=$?
    rm -f "$policy"
    return "$result"
}

apt_get_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    # Most failures are a list of packages that was never fetched.
    apt-get update -q >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1
}

# Four ways to an environment, from the most usual to the least.
make_venv() {
    local python=$1 version
    "$python" -m venv "$venv" >/dev/null 2>&1 && return 0
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    rm -rf "$venv"
    if apt_install "python$version-venv" || apt_install python3-venv; then
        "$python" -m venv "$venv" >/dev/null 2>&1 && return 0
        rm -rf "$venv"
    fi
    "$python" -m virtualenv -q "$venv" >/dev/null 2>&1 && return 0
    command -v virtualenv >/dev/null 2>&1 && virtualenv -q -p "$python" "$venv" >/dev/null 2>&1 && return 0
    command -v uv >/dev/null 2>&1 && uv venv -q --seed -p "$python" "$venv" >/dev/null 2>&1 && return 0
    return 1
}

venv_bin() {
    if [ -d "$venv/Scripts" ]; then echo "$venv/Scripts"; else echo "$venv/bin"; fi
}

# What the environment was made from.
environment_key() {
    "$1" - "$root" <<'PY'
import hashlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
text = (root / "pyproject.toml").read_bytes() + repr((str(root), sys.version)).encode()
print(hashlib.sha256(text).hexdigest())
PY
}

# The members of the group "dev", read here because `pip install --group` needs pip 25.1.
development_requirements() {
    python - <<'PY'
import tomllib
with open("pyproject.toml", "rb") as file:
    print("\n".join(tomllib.load(file)["dependency-groups"]["dev"]))
PY
}

prepare_environment() {
    local python log
    if [ -x "$(venv_bin)/python" ] && is_new_enough "$(venv_bin)/python"; then
        export PATH="$(venv_bin):$PATH"
        [ "$(cat "$venv/datatool-key" 2>/dev/null)" = "$(environment_key python)" ] && return 0
    else
        if ! python=$(find_python); then
            apt_install python3 python3-venv || true
            python=$(find_python) || { say "error: Python 3.11 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
        fi
        say "making $venv with $python"
        rm -rf "$venv"
        make_venv "$python" || { say "error: $python can make no virtual environment; install its venv module"; exit 1; }
        export PATH="$(venv_bin):$PATH"
    fi
    say "installing datatool and its tools into $venv"
    log=$venv/install.log
    development_requirements >"$venv/requirements.txt"
    if ! python -m pip install --disable-pip-version-check -e . -r "$venv/requirements.txt" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        say "error: the installation failed; the whole log is $log"
        exit 1
    fi
    environment_key python >"$venv/datatool-key"
}

# need_tool NAME PACKAGE...: install a tool that tests use; a test that needs it says so when it is still missing.
# Servers are often out of an ordinary user's PATH.
need_tool() {
    local name=$1
    shift
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$name" >/dev/null 2>&1 || apt_install "$@" ||
        say "note: $name is missing; tests that need it are skipped"
}

prepare_environment
