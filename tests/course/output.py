#!/usr/bin/env python3
"""Fails unless a program prints what a file says: output.py PROGRAM FILE.

Decimals may differ by two in their last digit, since sums have another order on other processors.
"""
import re
import subprocess
import sys

NUMBER = re.compile(r'-?\d+\.\d+')


def same(line, expected):
    given, wanted = NUMBER.findall(line), NUMBER.findall(expected)
    if NUMBER.sub('#', line) != NUMBER.sub('#', expected) or len(given) != len(wanted):
        return False
    return all(abs(float(a) - float(b)) <= 2.01 * 10 ** -len(b.split('.')[1]) for a, b in zip(given, wanted))


def main(program, file):
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    with open(file, encoding='utf-8') as f:
        expected = f.read().splitlines()
    for line, wanted in zip(printed, expected):
        if not same(line, wanted):
            print(f'expected: {wanted}\ngot:      {line}')
            return 1
    if len(printed) != len(expected):
        print(f'expected {len(expected)} lines, got {len(printed)}')
        return 1
    print(f'{len(expected)} lines as the course quotes them')
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
