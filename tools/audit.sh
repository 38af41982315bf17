#!/bin/sh
# Look each version that a lock pins up in the OSV database of known vulnerabilities.
# usage: tools/audit.sh PYTHON
# Exit codes: 0 nothing is known against any; 1 something is, or the database could not be reached.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
for lock in requirements*.lock; do
    "$1" -m pip_audit -r "$lock" --require-hashes --disable-pip --strict -s osv --progress-spinner off >"$log" 2>&1 || code=1
    if grep -q 'requests.exceptions' "$log"; then
        echo "make audit: osv.dev cannot be reached, so nothing was checked in $lock; this needs internet" >&2
        exit 1
    fi
    echo "$lock:" && cat "$log"
done
exit $code
