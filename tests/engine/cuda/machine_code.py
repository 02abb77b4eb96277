#!/usr/bin/env python3
"""What the machine code of our kernels shows without a device. Usage: machine_code.py CUOBJDUMP LIBRARY

  no kernel spills registers or keeps a stack frame
  kernels that are bound by memory read and write 16 bytes at a time
  passes over channels have four such loads under way before they use the first
  pooling divides by nothing
"""
import re
import subprocess
import sys

LOAD, STORE = "LDG", "STG"
# Mangled names of kernels that are bound by memory, for packs of 16 bytes, and what is as wide there.
PACKED = {
    r"9normalizeILi[48]E": (LOAD, STORE), r"12channel_sumsILi[48]E": (LOAD,),
    r"14input_gradientILi[48]E": (LOAD, STORE), r"15add_bias_kernelILi[48]E": (LOAD, STORE),
    r"10max_kernelILi[48]E": (LOAD, STORE), r"19max_gradient_kernelILi[48]E": (LOAD, STORE),
    r"14average_kernelILi[48]E": (LOAD, STORE), r"23average_gradient_kernelILi[48]E": (LOAD, STORE),
    r"10map_kernelI": (STORE,), r"13median_kernelILi\d+ELi4E": (LOAD, STORE),
    r"16copy_rows_kernelI5uint4E": (LOAD, STORE), r"13update_kernelI": (LOAD, STORE), r"11adam_kernel": (LOAD, STORE),
}
POOLING = r"(max|average)(_gradient)?_kernelILi"
# But for the sums that take a mask from y, a third tensor, for want of registers: frozen statistics.
PASSES = r"(12channel_sums|9normalize|14input_gradient|15add_bias_kernel)ILi[48]E(?!.*4MaskE2)"


def dump(*arguments):
    return subprocess.run([sys.argv[1], *arguments, sys.argv[2]], check=True, capture_output=True, text=True).stdout


def functions(text):
    """Pairs of a kernel's name and its lines."""
    parts = re.split(r"^\s*Function\s*:?\s*(\S+)$", text.replace(":\n", "\n"), flags=re.M)
    return list(zip(parts[1::2], parts[2::2]))


def loads_before_use(code):
    """The most loads of 16 bytes without arithmetic between them."""
    most = run = 0
    for name in code:
        run = 0 if name.startswith(("FADD", "FFMA", "FMUL")) else run + (name.startswith("LDG") and ".128" in name)
        most = max(most, run)
    return most


def faults():
    usage = functions(dump("--dump-resource-usage"))
    for name, text in usage:
        for kind in ("STACK", "LOCAL"):
            if f"{kind}:0 " not in text:
                yield f"{name} has {kind.lower()} memory: {text.strip()}"
    kernels = [(name, re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9.]+)", text, flags=re.M))
               for name, text in functions(dump("--dump-sass"))]  # of all architectures that it is built for
    if len(usage) < 100 or len(kernels) < 100:
        yield f"{len(usage)} and {len(kernels)} kernels found: expected hundreds"
    for pattern, accesses in PACKED.items():
        chosen = [(name, code) for name, code in kernels if re.search(pattern, name)]
        if not chosen:
            yield f"no kernel is called {pattern}"
        for name, code in chosen:
            for access in accesses:
                if not any(i.startswith(access) and ".128" in i for i in code):
                    yield f"{name} has no {access} of 16 bytes"
    for name, code in kernels:
        if re.search(POOLING, name):
            for instruction in code:
                if instruction.startswith(("MUFU", "I2F", "F2I")):
                    yield f"{name} divides: {instruction}"
        if re.search(PASSES, name) and loads_before_use(code) < 4:
            yield f"{name} has {loads_before_use(code)} loads of 16 bytes under way: expected 4"


found = list(faults())
for fault in found:
    print(fault)
sys.exit(bool(found))
