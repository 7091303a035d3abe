#!/bin/bash
# Installs the Debian packages that a set of jobs needs; does nothing where all are there.
#
# usage: tools/packages.sh SET...      SET: bench, build, dbus, kernel, lint, mutants, polkit, vm
set -euo pipefail
. "$(dirname "$0")/common.sh"

packages_of() {
  case $1 in
    build)
      echo bazel-bootstrap g++ pkg-config python3 libgrpc++-dev libprotobuf-dev protobuf-compiler \
        protobuf-compiler-grpc libabsl-dev libgtest-dev libgmock-dev libsystemd-dev libcli11-dev \
        libsmartcols-dev zlib1g-dev
      ;;
    lint) echo git clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev lld-14 llvm shellcheck ;;
    bench) echo dbus-daemon ;;
    dbus) echo dbus dbus-daemon systemd ;;
    polkit) echo polkitd ;;
    vm) echo qemu-system-x86 python3 iproute2 util-linux ;;
    mutants) echo patch rsync git ;;
    kernel) echo make gcc flex bison bc libelf-dev libssl-dev cpio kmod rsync pahole xz-utils debian-archive-keyring ;;
    *) die "no package set '$1'; the sets are: bench build dbus kernel lint mutants polkit vm" ;;
  esac
}

missing=()
for set_name in "$@"; do
  for package in $(packages_of "$set_name"); do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      missing+=("$package")
    fi
  done
done
[ "${#missing[@]}" -gt 0 ] || exit 0

step "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
with_progress "$P2PD_CACHE/log/apt-update.log" "apt-get update" as_root apt-get update -q
with_progress "$P2PD_CACHE/log/apt-install.log" "apt-get install" \
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
