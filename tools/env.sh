#!/bin/sh
# Make the environment ready, or say in one line what is missing.
# usage: tools/env.sh VENV PYTHON EXTRAS
#   VENV    folder of the environment that this script creates and keeps in step with the locks
#   PYTHON  an interpreter of your own environment, used as it is; VENV is then left alone
#   EXTRAS  test, gpu, bench, audit, or nothing
#
# VENV/ready, written last, names what was installed and where; without it, or in another place, all is made anew.
set -eu
umask 022
unset PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS VIRTUAL_ENV CONDA_PREFIX 2>/dev/null || true
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV PIP_NO_DEPS PIP_REQUIREMENT 2>/dev/null || true
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
venv=$1 own=$2 extras=$3
lock=$venv.lock python=$venv/bin/python

stop() { echo "make env: $*" >&2; exit 2; }

case $extras in "" | test | gpu | bench | audit) ;; *) stop "EXTRAS must be test, gpu, bench or audit; got $extras" ;; esac

if [ -n "$own" ]; then
    case $extras in "" | test) ;; *) stop "EXTRAS installs into $venv only; with PYTHON=$own install them yourself" ;; esac
    command -v "$own" >/dev/null || stop "$own is no program"
    wrong=$("$own" -c 'import betavae_core, jupyter_book' 2>&1) && exit 0
    case $wrong in "" | *ModuleNotFoundError*) ;; *)
        stop "the package cannot be loaded:" $(printf '%s\n' "$wrong" | grep -E '^ +File |^[A-Za-z]+Error' | tail -2) ;;
    esac
    stop "$own lacks the book's packages; install them:" \
        "$own -m pip install -r requirements.lock && $own -m pip install --no-deps --no-build-isolation -e ."
fi

case $extras in "" | bench) more="" ;; *) more=requirements-$extras.lock ;; esac
for file in pyproject.toml requirements.lock requirements-uv.lock $more; do
    [ -f "$file" ] || stop "$file is missing; restore it, or make it with: make lock"
done
place="$(pwd -P) $venv"
base="$place
$(cat pyproject.toml requirements.lock | cksum)"
whole="$base $(cat $more /dev/null | cksum)"

ready() { [ -x "$python" ] && [ "$(cat "$venv/ready" 2>/dev/null)" = "$base" ]; }
complete() { ready && { [ -z "$extras" ] || [ "$(cat "$venv/ready-$extras" 2>/dev/null)" = "$whole" ]; }; }
if complete; then exit 0; fi
[ "$(uname -sm 2>/dev/null)" != "Darwin x86_64" ] || stop "the pinned TensorFlow has no release for Intel Macs; use Linux there"

hold() { # one installation at a time; the lock is a link to the number of the process that holds it
    told="" vain=0
    until ln -s $$ "$lock" 2>/dev/null; do
        holder=$(readlink "$lock" || true)
        if [ -z "$holder" ]; then # it has just gone, or no link can be made there
            vain=$((vain + 1))
            if [ $vain -gt 20 ]; then
                [ -w "$(dirname "$lock")" ] || stop "$lock cannot be written"
                stop "$lock cannot be made; remove it if it is there"
            fi
            sleep 0.1
            continue
        fi
        if ! kill -0 "$holder" 2>/dev/null; then # it was killed; of several that wait one takes the lock away
            if mv "$lock" "$lock.$$" 2>/dev/null; then
                [ "$(readlink "$lock.$$")" = "$holder" ] || ln -s "$(readlink "$lock.$$")" "$lock" || true
                rm -f "$lock.$$"
            fi
            continue
        fi
        [ -n "$told" ] || echo "make env: another one is installing into $venv; waiting for it" >&2
        told=yes
        sleep 0.2
    done
    trap 'rm -f "$lock"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

suitable() { # the first Python that fits and can make environments
    fits=""
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || continue
        fits=$candidate
        if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then return; fi
    done
    [ -n "$fits" ] || stop "no Python 3.11, 3.12 or 3.13 found; install one, or pass your own: PYTHON=/path/to/python"
    stop "$fits has no venv module (Debian, Ubuntu: apt-get install python3-venv)"
}

quietly() { # show the work on a terminal; elsewhere only the last line of what went wrong
    if [ -t 2 ]; then "$@" >&2 || stop "installing failed; see above"; else
        "$@" > "$venv/log" 2>&1 || stop "installing failed: $(grep -v '^ *$' "$venv/log" | tail -1)"
    fi
}

create() {
    if [ -e "$venv" ] && [ ! -e "$venv/betavae" ] && [ ! -e "$venv/ready" ] && [ -n "$(ls -A "$venv")" ]; then
        stop "$venv was not made by make env; remove it, or name another: make VENV=folder"
    fi
    rm -rf "$venv" && mkdir -p "$venv" 2>/dev/null && touch "$venv/betavae" || stop "$venv cannot be written"
    quietly "$candidate" -m venv "$venv"
}

configure() { # uv asks where pip asks: its indexes, links and certificate, whether given by variable or by file
    from_files=$("$python" -m pip config list 2>/dev/null || true) # once: each start of pip takes a quarter of a second
    set_from() {
        value=$(printf '%s\n' "$from_files" | sed -n "s/^$2=['\"]\(.*\)['\"]\$/\1/p")
        value=$(printf %b "$value") # a list has its line ends as \n
        [ -z "$value" ] || eval "export $1=\"\${$1:-\$value}\""
    }
    set_from UV_DEFAULT_INDEX global.index-url
    set_from UV_INDEX global.extra-index-url
    set_from UV_FIND_LINKS global.find-links
    set_from SSL_CERT_FILE global.cert
    [ -z "${PIP_INDEX_URL-}" ] || export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
    [ -z "${PIP_EXTRA_INDEX_URL-}" ] || export UV_INDEX="$PIP_EXTRA_INDEX_URL"
    [ -z "${PIP_FIND_LINKS-}" ] || export UV_FIND_LINKS="$PIP_FIND_LINKS"
    [ -z "${PIP_CERT-}" ] || export SSL_CERT_FILE="$PIP_CERT"
    export UV_INDEX_STRATEGY=unsafe-best-match # safe, since every file's hash is pinned
}

install() { # arguments as of `pip install`, with uv if there is one for this machine
    if "$python" -m uv --version > /dev/null 2>&1; then quietly "$python" -m uv pip install --python "$python" "$@"; else
        quietly "$python" -m pip install "$@"
    fi
}

hold
if ! ready; then
    case "$(cat "$venv/ready" 2>/dev/null)" in "$place"*) [ -x "$python" ] && anew="" || anew=yes ;; *) anew=yes ;; esac
    [ -z "$anew" ] || suitable
    echo "make env: installing requirements.lock into $venv (2.7 GB; half a minute or a few, as the network is)" >&2
    [ -z "$anew" ] || create
    rm -f "$venv"/ready*
    configure
    "$python" -m pip install --quiet --require-hashes --only-binary :all: -r requirements-uv.lock > /dev/null 2>&1 ||
        echo "make env: no uv for this machine; pip takes some minutes" >&2
    install --require-hashes -r requirements.lock
    install --no-deps --no-build-isolation -e .
    echo "$base" > "$venv/ready"
fi
if ! complete; then
    configure
    case $extras in
        bench) install --no-build-isolation -e '.[bench]' ;;
        *) install --require-hashes -r "$more" ;;
    esac
    echo "$whole" > "$venv/ready-$extras"
fi
