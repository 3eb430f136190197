#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Exactly what CI runs. As a hook: ln -s ../../scripts/pre-push.sh .git/hooks/pre-push
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
exec .ci/run
