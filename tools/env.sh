#!/bin/sh
# Make the environment ready, or say in one line what is missing.
# usage: tools/env.sh VENV PYTHON EXTRAS
#   VENV    folder of the environment that this script creates and keeps in step with the lock
#   PYTHON  an interpreter of your own environment, used as it is; VENV is then left alone
#   EXTRAS  gpu, bench, audit, or nothing
set -eu
venv=$1 own=$2 extras=$3

stop() { echo "make env: $*" >&2; exit 2; }

case $extras in "" | gpu | bench | audit) ;; *) stop "EXTRAS must be gpu, bench or audit; got $extras" ;; esac

if [ -n "$own" ]; then
    [ -z "$extras" ] || stop "EXTRAS installs into $venv only; with PYTHON=$own install them yourself"
    "$own" -c 'import betavae_core, jupyter_book' 2>/dev/null || stop "$own lacks the book's packages; install them:" \
        "$own -m pip install -r requirements.lock && $own -m pip install --no-deps --no-build-isolation -e ."
    exit 0
fi

key="$(cat requirements.lock pyproject.toml | cksum)"
if [ ! -f "$venv/ready" ] || [ "$(cat "$venv/ready")" != "$key" ]; then
    if [ ! -x "$venv/bin/python" ]; then
        python="" fits=""
        for candidate in python3 python3.13 python3.12 python3.11 python; do
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || continue
            fits=$candidate
            if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then python=$candidate; break; fi
        done
        [ -n "$fits" ] || stop "no Python 3.11, 3.12 or 3.13 found; install one, or pass your own: PYTHON=/path/to/python"
        [ -n "$python" ] || stop "$fits has no venv module (Debian, Ubuntu: apt-get install python3-venv)"
        "$python" -m venv "$venv"
    fi
    echo "make env: installing requirements.lock into $venv (about two minutes)" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    echo "$key" > "$venv/ready"
fi
case $extras in
    gpu | audit) "$venv/bin/python" -m pip install --quiet --require-hashes -r "requirements-$extras.lock" ;;
    bench) "$venv/bin/python" -m pip install --quiet --no-build-isolation -e '.[bench]' ;;
esac
