"""Machine code in this process, through llvmlite, which is imported at the first compilation."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import importlib.util
import os
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from adlib.compile import layout
from adlib.compile.splitting import split

_lock = threading.RLock()

QUICK = "; quick\n"  # the first line of text that is not worth optimising


@functools.cache
def available() -> bool:
    """Whether native code can be made: llvmlite is installed and knows this machine, and
    array objects are laid out as it reads them."""
    if importlib.util.find_spec("llvmlite") is None:
        return False
    try:
        layout.layout()
        return _engine() is not None
    except Exception:  # a broken installation: the reference executor works without it
        return False


@functools.cache
def _engine() -> _Engine:
    return _Engine()


class _Engine:
    """The target machine, and everything that is loaded."""

    def __init__(self) -> None:
        llvmlite = importlib.import_module("llvmlite")
        binding = importlib.import_module("llvmlite.binding")
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        self.binding = binding
        triple = binding.get_process_triple()
        # another processor than this one, for tools that do not know all of its instructions
        chosen = os.environ.get("ADLIB_JIT_CPU", "")
        cpu = chosen or binding.get_host_cpu_name()
        features = "" if chosen else binding.get_host_cpu_features().flatten()
        self.features = frozenset(features.split(","))
        self.target = binding.Target.from_triple(triple).create_target_machine(
            cpu=cpu, features=features, opt=2, reloc="pic", codemodel="default", jit=True
        )
        # for programs that do next to nothing: compiling takes a fifth of the time
        self.quick = binding.Target.from_triple(triple).create_target_machine(
            cpu=cpu, features=features, opt=0, reloc="pic", codemodel="default", jit=True
        )
        self.identity = (
            f"{llvmlite.__version__} {binding.llvm_version_info} {triple} {cpu} {features}"
        )
        self.lljit = binding.create_lljit_compiler(
            binding.Target.from_triple(triple).create_target_machine(
                cpu=cpu, features=features, opt=2, reloc="pic", codemodel="default", jit=True
            )
        )
        self.count = 0

    def optimise(self, text: str) -> Any:
        """Vectorize, and tidy up before and after.

        What LLVM's higher levels add finds nothing in text that is written without redundancy,
        and takes a fifth more time; the highest even unrolls loops that would be vectorized.
        """
        module = self.binding.parse_assembly(text)
        options = self.binding.create_pipeline_tuning_options(speed_level=1)
        options.loop_vectorization = True
        options.slp_vectorization = True
        options.loop_unrolling = True
        passes = self.binding.create_pass_builder(self.target, options)
        passes.getModulePassManager().run(module, passes)
        return module


class Loaded:
    """Machine code with the addresses of its functions; unloaded when it is dropped."""

    def __init__(self, tracker: Any, names: list[str]) -> None:
        self._tracker = tracker
        self.addresses = {name: int(tracker[name]) for name in names}


class Vectors(NamedTuple):
    """Registers of the processor: their bytes, their number, cycles of a multiply-add of one."""

    bytes: int
    registers: int
    cycles: float


@functools.cache
def vectors() -> Vectors:
    """The vector registers that code for this machine can use."""
    features = _engine().features
    if "+avx512f" in features:
        return Vectors(64, 32, 1.0)
    if "+avx" in features:
        return Vectors(32, 16, 0.5)
    return Vectors(16, 32 if "+neon" in features else 16, 0.5)


@functools.cache
def knows_splat() -> bool:
    """Whether LLVM's text has a short form for vectors of equal numbers."""
    return bool(_engine().binding.llvm_version_info >= (20,))


def converts_float16() -> bool:
    """Whether this machine has instructions between float16 and float32."""
    engine = _engine()
    return "+f16c" in engine.features or engine.binding.get_process_triple().startswith("aarch64")


def identity() -> str:
    """What object code depends on besides its source: versions and processor."""
    return _engine().identity


def _modules(engine: _Engine, text: str) -> Iterator[tuple[Any, Any]]:
    """The modules of a text, ready to be compiled, each with the target machine for it."""
    optimised, written, plain = ("", "", text) if text.startswith(QUICK) else split(text)
    if optimised:
        yield engine.target, engine.optimise(optimised)
    if written:
        yield engine.target, engine.binding.parse_assembly(written)
    if plain:
        yield engine.quick, engine.binding.parse_assembly(plain)


def object_code(text: str) -> bytes:
    """Optimise and compile LLVM text for this machine: object files, one after another.

    Text that starts with ``QUICK``, and functions that are marked ``optnone``, are compiled as
    they are; functions that are ``WRITTEN`` as they should be go through no passes.
    """
    with _lock:
        engine = _engine()
        objects = []
        for target, module in _modules(engine, text):
            objects.append(bytes(target.emit_object(module)))
        return b"".join([len(code).to_bytes(8, "little") + code for code in objects])


def _objects(code: bytes) -> Iterator[bytes]:
    """The object files in what ``object_code`` returned."""
    start = 0
    while start < len(code):
        end = start + 8 + int.from_bytes(code[start : start + 8], "little")
        yield code[start + 8 : end]
        start = end


def load(code: bytes, names: list[str]) -> Loaded:
    """Bring object code into the process; ``names`` are the symbols to find."""
    with _lock:
        engine = _engine()
        engine.count += 1
        builder = engine.binding.JITLibraryBuilder()
        for file in _objects(code):
            builder.add_object_img(file)
        builder.add_current_process()
        for name in names:
            builder.export_symbol(name)
        return Loaded(builder.link(engine.lljit, f"adlib{engine.count}"), names)


def optimised_text(text: str) -> str:
    """LLVM text after optimisation, for people."""
    with _lock:
        return "\n".join([str(module) for _, module in _modules(_engine(), text)])


def assembly(text: str) -> str:
    """Assembly of LLVM text, for people."""
    with _lock:
        modules = _modules(_engine(), text)
        return "\n".join([str(target.emit_assembly(module)) for target, module in modules])


def digest(text: str) -> str:
    """Name of LLVM text in caches: its hash with that of what compiles it."""
    return hashlib.sha256(f"{identity()}\n{text}".encode()).hexdigest()


def write_pointers(address: int, pointers: list[int]) -> None:
    """Fill a table of pointers in loaded code."""
    table = (ctypes.c_void_p * len(pointers)).from_address(address)
    for i, pointer in enumerate(pointers):
        table[i] = pointer
