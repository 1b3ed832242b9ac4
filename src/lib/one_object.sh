#!/bin/sh
# one_object.sh PARTS.a OUT.a: links the parts into one object in which hidden symbols are local.
set -eu
object="$2.o"
rm -f "$2"
ld -r --whole-archive "$1" -o "$object"
objcopy --localize-hidden "$object"
ar rcs "$2" "$object"
rm -f "$object"
