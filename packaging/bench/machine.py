"""What the benchmark ran on: processor, memory, versions, and the day."""

import datetime
import importlib.metadata
import os
import platform

from common import emit

# What decides how fast matrices are multiplied, in float32 and in fewer bits.
FLAGS = ["avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"]
LIBRARIES = ["torch", "transformers", "sentence-transformers", "openvino", "pandas", "pyarrow"]


def of_proc(file, key):
    """The first value of a key in a file of /proc; empty where there is none."""
    try:
        with open(f"/proc/{file}", encoding="utf-8") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")
    except OSError:
        return ""


def version(library):
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def main():
    present = of_proc("cpuinfo", "flags").split()
    kilobytes = of_proc("meminfo", "MemTotal").removesuffix(" kB")
    emit(
        event="machine",
        processor=of_proc("cpuinfo", "model name") or platform.processor() or platform.machine(),
        cores=os.cpu_count(),
        flags=[flag for flag in FLAGS if flag in present],
        memory_gb=round(int(kilobytes) * 1024 / 1e9, 1) if kilobytes else None,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        versions={library: version(library) for library in LIBRARIES if version(library)},
        date=datetime.date.today().isoformat(),
    )


if __name__ == "__main__":
    main()
