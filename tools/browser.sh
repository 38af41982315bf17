#!/bin/sh
# Have a Chromium for the tests that look at pages, and for the PDF; where none can be had, say what is left out.
# usage: tools/browser.sh PYTHON
# One on PATH is used as it is; else Debian's or Ubuntu's package as root; else playwright's own. With CI set, none is an
# error.
set -u
python=$1
find='import sys; from betavae_workshop.building import pdf; sys.exit(not pdf.browser_starts())'

there() { "$python" -c "$find" 2>/dev/null; }

if there; then exit 0; fi
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
echo "make: getting a Chromium for the tests that look at pages" >&2
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q chromium; } >"$log" 2>&1 || true
    if there; then exit 0; fi
fi
"$python" -m playwright install chromium >>"$log" 2>&1 || true
if there; then exit 0; fi
"$python" -m playwright install --with-deps chromium >>"$log" 2>&1 </dev/null || true
if there; then exit 0; fi
why=$(grep -m1 -iE '^E: |error' "$log" || tail -1 "$log")
left=$("$python" -m pytest -q --collect-only -m browser -p no:cacheprovider 2>/dev/null | sed -n 's|^\([0-9]*\)/[0-9]* tests collected.*|\1|p')
echo "make: no Chromium could be had ($why); ${left:-some} tests that look at pages are left out; install chromium to run them" >&2
[ -z "${CI-}" ]
