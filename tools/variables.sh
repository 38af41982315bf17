#!/bin/sh
# What is wrong with the variables of make's command line, in one line; nothing if every one of them is read.
# usage: tools/variables.sh MAKEFILE "TARGETS" "NAMES"
# A target reads what its recipe names; VENV, PYTHON and EXTRAS are for all. What other programs read passes.
exec awk -v targets="$2" -v names="$3" '
function least(a, b) { return a < b ? a : b }
function distance(a, b, i, j, row, kept, above) { # of Levenshtein
    for (j = 0; j <= length(b); j++) row[j] = j
    for (i = 1; i <= length(a); i++) {
        kept = row[0]; row[0] = i
        for (j = 1; j <= length(b); j++) {
            above = row[j]
            row[j] = least(least(row[j], row[j - 1]) + 1, kept + (substr(a, i, 1) != substr(b, j, 1)))
            kept = above
        }
    }
    return row[length(b)]
}
function note(target, name) { if (!((target, name) in reads)) { reads[target, name]; order[target] = order[target] " " name } }
/^[a-z-]+( [a-z-]+)*:/ && !/:=/ {
    target = substr($0, 1, index($0, ":") - 1)
    if (!(target in known)) sequence[++known_count] = target
    known[target]
}
/^\t/ {
    rest = $0
    while (match(rest, /\$[$(]?(call given,[^,]*,)?[A-Z_]+/)) {
        name = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        sub(/.*[^A-Z_]/, "", name)
        if (name !~ /^(PY|MAKEFILE_LIST)$/) note(target, name)
    }
}
END {
    passed = "^(BETAVAE_(DIGITS|RESULTS|PUBLISHED)|CUDA_.*|PIP_.*|UV_.*|DASK_.*|SHELL|MAKEFLAGS|PATH|HOME|TMPDIR|CI|COLUMNS)$"
    count = split(targets, wanted, " ")
    for (i = 1; i <= count; i++) {
        if (!(wanted[i] in known)) exit # make itself says so
        own_count = split(order[wanted[i]] " VENV PYTHON EXTRAS", own, " ")
        for (j = 1; j <= own_count; j++) if (!(own[j] in all)) { all[own[j]]; list = list (list ? ", " : "") own[j] }
    }
    total = split(names, given, " ")
    for (i = 1; i <= total; i++) {
        if (given[i] ~ passed || given[i] in all) continue
        best = ""; nearest = 3
        for (name in all) {
            far = distance(toupper(given[i]), name)
            if (far < nearest) { nearest = far; best = name }
        }
        if (best) { printf "make %s: %s: did you mean %s?", targets, given[i], best; exit }
        others = ""
        for (j = 1; j <= known_count; j++)
            if ((sequence[j], given[i]) in reads) others = others (others ? ", " : "") "make " sequence[j]
        printf "make %s: %s is not read here", targets, given[i]
        printf "%s; read are: %s", (others ? " (it is by " others ")" : ""), list
        exit
    }
}' "$1"
