#!/usr/bin/env bash
# Makes the wasm targets of this project available and prints the rustc to use for them.
#   RUSTC=$(xtask/scripts/wasm-toolchain.sh) cargo build --target wasm32-unknown-unknown
# 1. the active toolchain has the targets already -> its own rustc
# 2. `rustup target add` works                    -> its own rustc
# 3. otherwise: Debian's rustc-web, unpacked (not installed) into a private folder, with std for
#    wasm32-unknown-unknown and core + alloc for wasm32v1-none built once from rust-web-src.
# Only the path goes to stdout; everything else goes to stderr.
# WASM_TOOLCHAIN_DIR says where, WASM_TOOLCHAIN_FORCE_DEBIAN=1 skips 1 and 2 (to test 3).
set -euo pipefail
page=wasm32-unknown-unknown
bare=wasm32v1-none

say() { echo "wasm-toolchain: $*" >&2; }
active() { if command -v rustup >/dev/null; then rustup which rustc; else command -v rustc; fi; }
has() { # RUSTC: both targets are there
  local target
  for target in $page $bare; do
    ls "$("$1" --print target-libdir --target $target 2>/dev/null)"/libcore-*.rlib >/dev/null 2>&1 || return 1
  done
}

base=${WASM_TOOLCHAIN_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tributary}
if [ -z "${WASM_TOOLCHAIN_FORCE_DEBIAN:-}" ]; then
  if has "$(active)"; then active; exit 0; fi
  # shellcheck disable=SC2045 # our own names hold no spaces
  for rustc in $(ls -t "$base"/rustc-web-*/bin/rustc 2>/dev/null); do # built before: no network at all
    if has "$rustc"; then echo "$rustc"; exit 0; fi
  done
  if command -v rustup >/dev/null && timeout 120 rustup target add $page $bare >&2 && has "$(active)"; then
    active
    exit 0
  fi
  say "rustup cannot add $page and $bare here; using Debian's rustc-web"
fi

if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
  say "no Debian amd64 either: run \`rustup target add $page $bare\` where its server can be reached"
  exit 1
fi
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p' | grep -v '(none)' || true; }
if [ -z "$(candidate rustc-web)" ]; then
  [ "$(id -u)" = 0 ] || { say "no rustc-web in apt's lists: run \`sudo apt-get update\` first"; exit 1; }
  apt-get update >&2
fi
version=$(candidate rustc-web)
[ -n "$version" ] || { say "Debian's rustc-web is not to be had here"; exit 1; }
place=$base/rustc-web-${version//[^A-Za-z0-9.+~-]/_}
if has "$place/bin/rustc"; then echo "$place/bin/rustc"; exit 0; fi

mkdir -p "$base"
exec 9>"$place.lock"
flock 9
if has "$place/bin/rustc"; then echo "$place/bin/rustc"; exit 0; fi
work=$place.work # a fixed path: the same bytes each time
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/deb" "$work/root" "$work/made/bin" "$work/made/lib/rustlib"

dependency() { apt-cache depends "$1" | sed -n "s/^ *Depends: \($2\)\$/\1/p" | head -1; }
std=$(dependency libstd-rust-web-dev 'libstd-rust-web-[0-9.]*')
llvm=$(dependency "$std" 'libllvm[0-9]*')
say "downloading rustc-web $version and its sources"
(cd "$work/deb" &&
  apt-get download rustc-web libstd-rust-web-dev rust-web-src "$std" "$llvm" "lld-${llvm#libllvm}" >&2)
for package in "$work"/deb/*.deb; do dpkg -x "$package" "$work/root"; done
rm -rf "$work/deb"

host=x86_64-unknown-linux-gnu
from=$work/root/usr
made=$work/made
mv "$from/bin/rustc" "$made/bin/rustc.real"
mv "$from"/lib/x86_64-linux-gnu/librustc_driver-*.so "$from"/lib/x86_64-linux-gnu/libLLVM.so.* "$made/lib/"
mv "$from/lib/rustlib/$host" "$made/lib/rustlib/"
cat > "$made/bin/rustc" <<'W'
#!/bin/sh
d=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH="$d/../lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$d/rustc.real" "$@"
W
chmod +x "$made/bin/rustc"
# The linker: lld of the same LLVM, which finds its library by the path the wrapper sets.
rm -rf "$made/lib/rustlib/$host/bin"
mkdir "$made/lib/rustlib/$host/bin"
cp "$from/lib/llvm-${llvm#libllvm}/bin/lld" "$made/lib/rustlib/$host/bin/rust-lld"

# The libraries, built as rustc's own bootstrap builds them.
library=$(echo "$from"/src/rustc-*/library)
build() { # TARGET MANIFEST [ARGUMENT..]
  local target=$1 manifest=$2
  shift 2
  say "building the library for $target"
  env -u CARGO_ENCODED_RUSTFLAGS -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER -u CARGO_BUILD_TARGET \
    -u CARGO_TARGET_DIR RUSTC="$made/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_DEBUG=0 \
    CARGO_PROFILE_RELEASE_OPT_LEVEL=3 CARGO_PROFILE_RELEASE_LTO=off \
    RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes --remap-path-prefix=$library=/rustc/library --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/rustc/registry" \
    cargo build --release --target "$target" --manifest-path "$library/$manifest" --target-dir "$work/build" "$@" >&2
  mkdir -p "$made/lib/rustlib/$target/lib"
  cp "$work/build/$target"/release/deps/*.rlib "$made/lib/rustlib/$target/lib/"
}
build $page sysroot/Cargo.toml
build $bare alloc/Cargo.toml --features compiler-builtins-mem

rm -rf "$place"
mv "$made" "$place"
has "$place/bin/rustc" || { say "the libraries are not where rustc looks for them"; exit 1; }
echo "$place/bin/rustc"
