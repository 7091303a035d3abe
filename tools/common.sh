# Shared by the project's shell scripts: where things are, and how they speak.
# shellcheck shell=bash

P2PD_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# What is expensive to make (the VM's kernel, Bazel's output) lives here, outside the tree.
P2PD_CACHE=${P2PD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/p2pd}
export P2PD_TOP P2PD_CACHE

say() { printf '%s\n' "$*" >&2; }
step() { printf '==> %s\n' "$*" >&2; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Runs a command as root: as it is where we are root already, else through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "must be root to run '$*': run this script as root, or install sudo"
  fi
}

# with_progress LOG WHAT COMMAND...: runs a command that takes minutes. A line every 15 seconds says
# that it lives and what it last said; its whole output goes to LOG, and is shown where it fails.
with_progress() {
  local log=$1 what=$2 start=$SECONDS status=0 pid
  shift 2
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    # A pipe that says nothing for 15 s: a wait that ends at once when the command does.
    if ! timeout 15 tail --pid="$pid" -f /dev/null 2>/dev/null && kill -0 "$pid" 2>/dev/null; then
      say "    $what: $((SECONDS - start)) s, $(wc -l <"$log") lines, now: $(tail -n 1 "$log" | cut -c1-80)"
    fi
  done
  wait "$pid" || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 60 "$log" >&2
    say "    $what: FAILED with exit code $status; the whole output is in $log"
    return "$status"
  fi
  say "    $what: done in $((SECONDS - start)) s"
}

# Bazel with what it has built before: the disk cache serves every clone of the project.
bazel_in_tree() {
  local verb=$1
  shift
  (cd "$P2PD_TOP" && bazel "$verb" --disk_cache="$P2PD_CACHE/bazel" --noshow_progress "$@")
}
