#!/bin/bash
# clang-tidy over the C++ files that changed since P2PD_TIDY_BASE (default: the last commit's parent)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build lint
cd "$P2PD_TOP"
base=${P2PD_TIDY_BASE:-$(git rev-parse --quiet --verify HEAD~1 || git hash-object -t tree /dev/null)}
mapfile -t changed < <(git diff --name-only --diff-filter=d "$base" -- '*.cc')
if [ "${#changed[@]}" -eq 0 ]; then
  say "    no C++ file changed since $base"
  exit 0
fi
say "    ${#changed[@]} files changed since $base"
most=${P2PD_TIDY_MOST:-20} # a file takes half a minute
[ "${#changed[@]}" -le "$most" ] || say "    only the first $most are looked at (P2PD_TIDY_MOST)"
bazel_in_tree build //proto/... # the headers that protoc writes
headers=$(bazel_in_tree info bazel-bin 2>/dev/null)
# shellcheck disable=SC2016 # the inner shell's variables
printf '%s\0' "${changed[@]:0:$most}" |
  xargs -0 -P 2 -n 1 sh -c 'clang-tidy-14 --quiet "$2" -- -std=c++20 -I. -I"$1" 2>/dev/null' tidy "$headers"
