#!/usr/bin/python3
"""size.py - fail on functions and files that are too long or too deep.

It reads our own format: a function's name and its braces stand in the first
column, and one tab is one level.  Prints the median and the 90th percentile.
"""
import re
import subprocess
import sys
from pathlib import Path

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 60  # from the name to the closing brace
MAX_PARAMETERS = 6
MAX_NESTING = 3

CONTROL = re.compile(r"^(\t+)(?:\} )?(if|else|for|while|do|switch)\b")


def tree_files():
    """What git tracks in a checkout, what is there elsewhere."""
    if Path(".git").exists():
        listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True)
        if listed.returncode == 0:
            return [Path(line) for line in listed.stdout.splitlines()]
    return [path for path in Path(".").rglob("*") if path.parts[0] != "build"]


def count_parameters(signature):
    """Commas of the outermost parentheses, and one."""
    depth = commas = 0
    for char in signature[signature.index("("):]:
        depth += {"(": 1, ")": -1}.get(char, 0)
        commas += char == "," and depth == 1
    return commas + 1


class Function:
    def __init__(self, path, lines, first, brace, last):
        signature = " ".join(lines[first:brace])
        body = lines[brace + 1:last]
        self.name = re.match(r"[a-z_A-Z0-9 *]*?(\w+)\(", signature)[1]
        self.where = f"{path}:{first + 1}: {self.name}()"
        self.lines = last - first + 1
        self.parameters = count_parameters(signature)
        self.nesting = max(
            (len(found[1]) for found in map(CONTROL.match, body) if found), default=0)

    def faults(self):
        for value, most, what in (
                (self.lines, MAX_FUNCTION_LINES, "lines"),
                (self.parameters, MAX_PARAMETERS, "parameters"),
                (self.nesting, MAX_NESTING, "levels of nesting")):
            if value > most:
                yield f"{self.where} has {value} {what}; {most} are allowed"


def functions(path, lines):
    first = None
    for number, line in enumerate(lines):
        if re.match(r"[A-Za-z_].*\(", line):
            first = number
        elif line == "{" and first is not None:
            last = lines.index("}", number)
            yield Function(path, lines, first, number, last)
            first = None


def main():
    lengths = []
    faults = []
    for path in sorted(tree_files()):
        if path.suffix not in (".c", ".h", ".py") or not path.is_file():
            continue
        lines = path.read_text().splitlines()
        if len(lines) > MAX_FILE_LINES:
            faults.append(f"{path} has {len(lines)} lines; {MAX_FILE_LINES} are allowed")
        if path.suffix != ".c":
            continue
        for function in functions(path, lines):
            faults.extend(function.faults())
            lengths.append(function.lines)
    lengths.sort()
    if lengths:
        print(f"{len(lengths)} functions: median {lengths[len(lengths) // 2]} lines,"
              f" p90 {lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]}")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


sys.exit(main())
