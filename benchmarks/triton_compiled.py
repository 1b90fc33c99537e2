"""Registers, spills and shared memory of the Triton kernel compiled ahead of time for an H100 or H200, without a GPU.

    python benchmarks/triton_compiled.py --output docs/measured/triton_compiled.md

A row: preset, block (the next power of two of a completion's length), warps of a program, and what ptxas says of its
machine code for sm_90a: registers a thread, bytes a thread spills (stores + loads, as they stand in the code), shared
memory of a program, barriers in the code. Programs a multiprocessor: as many as its 65,536 registers, 2,048 threads,
32 programs and 227 KiB of shared memory hold. Nothing here is a time.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import triton
from page import report
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

import pmpo
from pmpo.kernels.plan import Target, plan_of
from pmpo.kernels.triton_kernel import policy_loss_kernel
from pmpo.kernels.triton_launch import formulas, shape

PTXAS = Path(triton.__file__).parent / "backends/nvidia/bin/ptxas"
PRESETS = ("grpo", "gmpo", "pmpo", "apmpo", "holderpo", "sapo", "dppo_kl")
LENGTHS = (128, 512, 1024, 2048, 4096, 8192, 16384, 32768)
TYPES = {torch.float32: "fp32", torch.bfloat16: "bf16"}
STRIDES = tuple(f"{name}_stride" for name in ("log_probs", "old", "mask", "weights", "reference"))


def source(name: str, width: int, dtype: torch.dtype, weighted: bool) -> tuple[ASTSource, int]:
    """The kernel as it is launched for a preset, and its warps."""
    plan, values = plan_of(pmpo.OBJECTIVES[name]), f"*{TYPES[dtype]}"
    referred = pmpo.OBJECTIVES[name].kl_coef > 0
    size = shape(width)
    warps = size.pop("num_warps")
    constants = {**formulas(plan, [0.0], dtype), **size, "QUADS": True}
    types = {
        "log_probs_ptr": values,
        "old_ptr": values,
        "mask_ptr": "*u8",
        "advantages_ptr": "*fp32",
        "exponent_ptr": "*fp32" if plan.target == Target.GIVEN else None,
        "weights_ptr": "*fp32" if weighted else None,
        "reference_ptr": values if referred else None,
        "scalars_ptr": "*fp64",
        "losses_ptr": "*fp32",
        "gradient_ptr": values,
        "diagnostics_ptr": "*fp32",
        "flags_ptr": "*u8",
        **dict.fromkeys(("rows", "width", *STRIDES), "i32"),
        **dict.fromkeys(constants, None),
    }
    constants |= {name: None for name, kind in types.items() if kind is None and name not in constants}
    aligned = [name for name, kind in types.items() if kind and name not in ("mask_ptr", "rows", "flags_ptr")]
    attributes = {(policy_loss_kernel.arg_names.index(name),): [["tt.divisibility", 16]] for name in aligned}
    signature = {name: types[name] or "constexpr" for name in policy_loss_kernel.arg_names}
    return ASTSource(policy_loss_kernel, signature, constants, attributes), warps


def row(name: str, width: int, dtype: torch.dtype, weighted: bool = False) -> str:
    """One line of the table."""
    code, warps = source(name, width, dtype, weighted)
    compiled = triton.compile(code, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(compiled.asm["ptx"])
        file.flush()
        command = [PTXAS, "-v", "--gpu-name=sm_90a", file.name, "-o", "/dev/null"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    registers = int(re.search(r"Used (\d+) registers", said)[1])
    stored, loaded = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", said).groups()
    shared = compiled.metadata.shared
    threads = 32 * warps
    allocated = -(-registers // 8) * 8 * threads
    programs = min(65536 // allocated, 2048 // threads, 32, 227 * 1024 // (shared + 1024))
    case = name + (", ρ" if weighted else "")
    barriers = compiled.asm["ptx"].count("bar.sync")
    cells = [case, TYPES[dtype], width, warps, registers, f"{stored} + {loaded}", shared, barriers, programs]
    return "| " + " | ".join(map(str, cells)) + " |"


def lines() -> list[str]:
    heads = ("preset", "inputs", "tokens", "warps", "registers", "spilled bytes", "shared bytes", "barriers")
    table = [f"triton {triton.__version__}, torch {torch.__version__}; ptxas for sm_90a.", ""]
    table += ["| " + " | ".join((*heads, "programs a multiprocessor")) + " |", "|---" * (len(heads) + 1) + "|"]
    cases = [(name, width, torch.float32, False) for name in PRESETS for width in LENGTHS]
    cases += [("pmpo", width, torch.bfloat16, False) for width in LENGTHS]
    cases += [("pmpo", width, torch.float32, True) for width in LENGTHS]
    for done, case in enumerate(cases, 1):
        print(f"{done}/{len(cases)} {case[0]} {case[1]}", file=sys.stderr, flush=True)
        table.append(row(*case))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="the page to write")
    output = parser.parse_args().output
    command = "triton_compiled.py --output docs/measured/triton_compiled.md"
    report("The Triton kernel's machine code", command, lines(), output)


if __name__ == "__main__":
    main()
