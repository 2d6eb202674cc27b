#!/bin/bash
# Runs inside the machine at its first `vagrant up`, and again at `vagrant provision`.
set -euo pipefail
cd "$HOME/ebtrace"

command -v make >/dev/null || { sudo apt-get update -q && sudo apt-get install -qy make; }
make demo
make test

# So that `ebtrace` and `sudo ebtrace` are found in every folder.
sudo ln -sf "$PWD/.venv/bin/ebtrace" /usr/local/bin/ebtrace
