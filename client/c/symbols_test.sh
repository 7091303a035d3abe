#!/bin/bash
# The shared library shows what the header declares, and nothing else; the static one defines it, and the manual page
# names it.
set -euo pipefail
header=$1 shared=$2 archive=$3 page=$4
declared=$(grep -oE '\bp2p_[a-z0-9_]+\(' "$header" | tr -d '(' | sort -u)
[ "$(wc -l <<<"$declared")" -gt 50 ] || { echo "found few functions in $header" && exit 1; }

symbols=$(nm -D --defined-only "$shared")
shown=$(awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' <<<"$symbols" | sort -u)
diff <(echo "$declared") <(echo "$shown") || { echo "< declared, > shown by $shared" && exit 1; }

dynamic=$(readelf -d "$shared")
grep -q 'SONAME.*\[libp2p\.so\.0\]' <<<"$dynamic" || { echo "$shared has another SONAME" && exit 1; }

all=$(nm --defined-only "$archive" | awk '$2 == "T" { print $3 }' | sort -u)
missing=$(comm -23 <(echo "$declared") <(echo "$all"))
[ -z "$missing" ] || { echo "$archive lacks $missing" && exit 1; }
grep -q '_ZN3p2p7Session7Connect' <<<"$all" || { echo "$archive lacks the library behind the interface" && exit 1; }

named=$(grep -oE '\bp2p_[a-z0-9_]+ \(\)' "$page" | cut -d' ' -f1 | sort -u)
diff <(echo "$declared") <(echo "$named") || { echo "< declared, > named by $page" && exit 1; }
