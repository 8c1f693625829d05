# Sourced by the launchers: sets $node, the Node that Drover runs on, and switches its compile cache on. It needs $driver,
# the folder of the driver's package: its installation brings the Node that the bundles are built for.

# pinned_node ARCH LOADER: the system's loader tells whether that program can run here (not on musl, not on macOS).
pinned_node() {
  [ -e "$2" ] || return 1
  folder=$driver
  until [ -x "$folder/node_modules/node-linux-$1/bin/node" ]; do
    [ -n "$folder" ] || return 1
    folder=${folder%/*}
  done
  node=$folder/node_modules/node-linux-$1/bin/node
}

if ! pinned_node x64 /lib64/ld-linux-x86-64.so.2 && ! pinned_node arm64 /lib/ld-linux-aarch64.so.1; then
  node=$(command -v node || :)
  major=$("${node:-false}" -p 'process.versions.node.split(".")[0]' 2>/dev/null || :)
  case $major in
    '' | *[!0-9]*) major=0 ;;
  esac
  if [ "$major" -lt 24 ]; then
    echo "drover: NODE_NOT_FOUND: needs Node 24 or later: install with optional dependencies, which bring one, or put one on the PATH" >&2
    exit 1
  fi
fi

# The compile cache takes 50 ms off a start. It holds code that runs, so it is never made where others can write; a folder
# that can't be written is no reason to fail.
if [ -z "${NODE_COMPILE_CACHE-}" ]; then
  cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
  case $cache in
    /*)
      cache=$cache/drover/node-compile-cache
      if { [ -d "$cache" ] || mkdir -p "$cache" 2>/dev/null; } && [ -w "$cache" ]; then
        NODE_COMPILE_CACHE=$cache
        export NODE_COMPILE_CACHE
      fi
      ;;
  esac
fi
