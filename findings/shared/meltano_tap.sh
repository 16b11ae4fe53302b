#!/bin/sh
# Prints the settings that Meltano hands to it, in the environment and as a file.
env | grep '^TAP_X_' || true
while [ $# -gt 0 ]; do
  if [ "$1" = --config ]; then echo "config: $(tr -d '\n' < "$2")"; fi
  shift
done
