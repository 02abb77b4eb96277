#!/usr/bin/env bash
# Downloads a public data set and checks it.
# Usage: data/fetch.sh mnist|fashion-mnist|cifar10|cifar10n [FOLDER]     (default folder: datasets/NAME)
# COGRAD_MIRROR=URL downloads from there instead of the public homes.
set -euo pipefail

die() { echo "fetch: $*" >&2; exit 1; }

name=${1:-}
folder=${2:-datasets/$name}
case $name in
mnist)
  homes=(https://storage.googleapis.com/cvdf-datasets/mnist https://ossci-datasets.s3.amazonaws.com/mnist)
  algorithm=sha256
  files=(
    71524e2cd1ad2968737f7f2f2ff69cbfc32df8ccddff51593f7cb2d4e0eb5b64:train-images-idx3-ubyte.gz
    fe03b8bd7915f70bf5aa08be480aa413fbd85afcaa58b35d230d335f284fd88e:train-labels-idx1-ubyte.gz
    5634745efa576a17e7d4cf5cd9d09123c75e6538e5114267c2d156edaf519341:t10k-images-idx3-ubyte.gz
    ae18e77e031ccde52407f794d123116439864147d33ac992975f85dd4dc42af6:t10k-labels-idx1-ubyte.gz
  )
  ;;
fashion-mnist)
  homes=(https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion
         http://fashion-mnist.s3-website.eu-central-1.amazonaws.com)
  algorithm=md5  # what the authors publish
  files=(
    8d4fb7e6c68d591d4c3dfef9ec88bf0d:train-images-idx3-ubyte.gz
    25c81989df183df01b3e8a0aad5dffbe:train-labels-idx1-ubyte.gz
    bef4ecab320f06d8554ea6380940ec79:t10k-images-idx3-ubyte.gz
    bb300cfdad3c16e7a12a480ee83cd310:t10k-labels-idx1-ubyte.gz
  )
  ;;
cifar10)
  homes=(https://www.cs.toronto.edu/~kriz)
  algorithm=sha256
  files=(c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd:cifar-10-binary.tar.gz)
  ;;
cifar10n)  # human labels of cifar10's training images, for --labels FOLDER/cifar10n.csv; CC BY-NC 4.0
  homes=(https://raw.githubusercontent.com/UCSC-REAL/cifar-10-100n/main/data)
  algorithm=none  # nobody publishes one: the conversion checks the labels
  files=(:CIFAR-10_human.pt)
  ;;
*) die "unknown data set '$name': expected mnist, fashion-mnist, cifar10 or cifar10n" ;;
esac
[ -z "${COGRAD_MIRROR:-}" ] || homes=("$COGRAD_MIRROR")
command -v curl >/dev/null || die "needs curl"
{ mkdir -p "$folder" && partial=$(mktemp -d "$folder/.fetch.XXXXXX"); } 2>/dev/null ||
  die "cannot write to $folder"
trap 'rm -rf "$partial"' EXIT  # files move out of it when they are whole

sum_of() { [ "$algorithm" = none ] || "${algorithm}sum" <"$1" | cut -d' ' -f1; }

for entry in "${files[@]}"; do
  sum=${entry%%:*} file=${entry#*:}
  [ -f "$folder/$file" ] && [ "$(sum_of "$folder/$file")" = "$sum" ] && continue
  failures=
  for home in "${homes[@]}"; do
    echo "fetch: $home/$file" >&2
    if ! error=$(curl -fsSL --retry 2 -o "$partial/$file" "$home/$file" 2>&1); then
      failures+="; $home: ${error##*$'\n'}"
    elif found=$(sum_of "$partial/$file"); [ "$found" != "$sum" ]; then
      failures+="; $home: its $algorithm is $found, not $sum"
    else
      mv "$partial/$file" "$folder/$file"
      continue 2
    fi
  done
  die "cannot get $file: ${failures#; }"
done
if [ "$name" = cifar10 ] && [ ! -d "$folder/cifar-10-batches-bin" ]; then
  tar -xzf "$folder/cifar-10-binary.tar.gz" -C "$partial"
  mv "$partial/cifar-10-batches-bin" "$folder"
fi
if [ "$name" = cifar10n ]; then
  "$(dirname "$0")/cifar10n_labels.py" "$folder/CIFAR-10_human.pt" >"$partial/cifar10n.csv" ||
    die "$folder/CIFAR-10_human.pt does not hold the labels: remove it"
  mv "$partial/cifar10n.csv" "$folder"
fi
echo "$folder"
