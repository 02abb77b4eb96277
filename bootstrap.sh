#!/usr/bin/env bash
# Installs what building and testing needs and this machine lacks, from Debian's packages.
# Usage: ./bootstrap.sh            (as root, or with sudo; does nothing when all is there)
#        ./bootstrap.sh --browser  Chromium as well, 98 MB to fetch, for tests/pages/run
#        ./bootstrap.sh --site     Doxygen and Python as well, for docs/site/build
#        ./bootstrap.sh --check    names what is missing, installs nothing; fails where no build can begin
set -euo pipefail

packages=(
  build-essential cmake ninja-build ccache
  libdnnl-dev libeigen3-dev libfmt-dev
  libopencv-core-dev libopencv-imgproc-dev libjpeg-dev libpng-dev zlib1g-dev libxxhash-dev
  libopenmpi-dev openmpi-bin  # training on several ranks
  libcli11-dev nlohmann-json3-dev catch2 libbenchmark-dev
  clang libclang-rt-dev  # for tests/fuzz, and the second compiler of .ci/run
  clang-format-14 clang-tidy-14 shellcheck  # for tests/lint
  gnuplot-nox            # draws the figures of the reports
  curl ca-certificates   # for data/fetch.sh
)

die() { echo "bootstrap: $*" >&2; exit 1; }

check=
case ${1-} in
'') ;;
--browser) packages+=(chromium-headless-shell python3) ;;
--site) packages+=(doxygen python3 python3-venv) ;;
--check) check=yes ;;
*) echo "usage: ./bootstrap.sh [--browser | --site | --check]" >&2; exit 2 ;;
esac

missing=()
if command -v dpkg-query >/dev/null; then
  for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=
    [ "$status" = installed ] || missing+=("$package")
  done
elif [ -z "$check" ]; then
  die "needs a Debian-like system; install by hand: ${packages[*]}"
fi

# Packages may be missing whose libraries were installed by hand: CMake says which it does not find.
if [ -n "$check" ]; then
  [ ${#missing[@]} -eq 0 ] ||
    echo "bootstrap: missing packages: ${missing[*]} (./bootstrap.sh installs them)" >&2
  for tool in cmake ninja c++; do
    command -v "$tool" >/dev/null || die "no build without $tool: run ./bootstrap.sh"
  done
  exit 0
fi
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  die "missing packages, and neither root nor sudo to install them: ${missing[*]}"
fi

echo "bootstrap: installing ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" >>"$log" 2>&1; }
for step in "update" "install -y --no-install-recommends ${missing[*]}"; do
  # shellcheck disable=SC2086  # words on purpose
  apt $step || { tail -n 15 "$log" >&2; die "'apt-get $step' failed (its last lines are above)"; }
done
