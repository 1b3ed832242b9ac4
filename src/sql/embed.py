"""Writes C string constants from SQL files: embed.py OUT.h FILE.sql..."""
import os
import sys

with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write("/* Generated from the files in src/sql: change those. */\n")
    for path in sys.argv[2:]:
        name = os.path.splitext(os.path.basename(path))[0]
        out.write(f"static const char sql_{name}[] __attribute__((unused)) =\n")
        with open(path, encoding="utf-8") as sql:
            for line in sql:
                text = line.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"')
                out.write(f'    "{text}\\n"\n')
        out.write("    ;\n")
