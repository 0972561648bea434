"""Flags: process-wide values, overrides of one thread or task, and what follows a change."""

import asyncio
import threading

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.base import config as module
from adlib.base.config import Config, config


@pytest.fixture
def restored():
    """Flags as they were, whatever a test sets for the process."""
    before = dict(config._values)
    yield
    for name, value in before.items():
        config.update(name, value)


@pytest.mark.parametrize("name", module._DEFAULTS)
def test_every_flag_has_its_default_and_can_be_overridden(name):
    default = module._DEFAULTS[name]
    assert getattr(config, name) == default == config.read(name)
    # devices are looked for, the other flags take anything
    other = "cpu" if name in ("jax_default_device", "jax_platform_name") else "other"
    with config.override(**{name: other}):
        assert config.read(name) == other
    assert config.read(name) == default


CONTEXTS = {
    "enable_x64": ("jax_enable_x64", True),
    "threefry_partitionable": ("jax_threefry_partitionable", True),
    "disable_jit": ("jax_disable_jit", True),
    "debug_nans": ("jax_debug_nans", True),
    "log_compiles": ("jax_log_compiles", True),
    "enable_checks": ("jax_enable_checks", True),
    "checking_leaks": ("jax_check_tracer_leaks", True),
    "numpy_dtype_promotion": ("jax_numpy_dtype_promotion", None),
    "numpy_rank_promotion": ("jax_numpy_rank_promotion", None),
    "default_matmul_precision": ("jax_default_matmul_precision", None),
    "default_device": ("jax_default_device", None),
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_public_contexts(name):
    flag, default = CONTEXTS[name]
    context = getattr(adlib, name)
    before = config.read(flag)
    assert context.__doc__.startswith("Context manager: ")
    given = "cpu" if name == "default_device" else "given"
    with context(given):
        assert config.read(flag) == given
    with context():
        assert config.read(flag) == default
    assert config.read(flag) == before


def test_blocks_nest_and_end_with_an_exception():
    with pytest.raises(ZeroDivisionError), adlib.enable_x64(True):
        with adlib.enable_x64(False), config.override(jax_debug_nans=True):
            assert not config.x64_enabled and config.jax_debug_nans
        assert config.x64_enabled and not config.jax_debug_nans
        raise ZeroDivisionError
    assert not config.x64_enabled
    assert config._open == []


def test_update_holds_for_the_process(restored):
    config.update("jax_enable_x64", True)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(jnp.ones(1).dtype))
    thread.start()
    thread.join()
    assert seen == [np.float64]
    with adlib.enable_x64(False):
        assert jnp.ones(1).dtype == np.float32


def test_an_override_belongs_to_its_thread():
    seen = []
    with adlib.enable_x64(True):
        thread = threading.Thread(target=lambda: seen.append(config.x64_enabled))
        thread.start()
        thread.join()
        assert config.x64_enabled
    assert seen == [False]


def test_an_override_belongs_to_its_task():
    async def wide():
        with adlib.enable_x64(True):
            await asyncio.sleep(0)
            return jnp.ones(1).dtype

    async def narrow():
        await asyncio.sleep(0)
        return jnp.ones(1).dtype

    async def both():
        return await asyncio.gather(wide(), narrow())

    assert asyncio.run(both()) == [np.float64, np.float32]


MISTAKES = {
    "read": (lambda: config.jax_enable_x46, "no configuration flag 'jax_enable_x46'. Did you mean "
             "'jax_enable_x64'?"),
    "update": (lambda: config.update("jax_debug_nan", True), "Did you mean 'jax_debug_nans'?"),
    "override": (lambda: config.override(jax_debug_inf=True).__enter__(), "'jax_debug_infs'"),
    "nothing near": (lambda: config.zebra, "adlib has no configuration flag 'zebra'."),
    "assignment": (lambda: setattr(config, "jax_enable_x64", True),
                   "config.update('jax_enable_x64', True)"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    mistake, text = MISTAKES[name]
    with pytest.raises(AttributeError) as caught:
        mistake()
    assert text in str(caught.value)


def test_flags_that_change_programs_are_in_the_trace_key():
    key = config.trace_key()
    for name, value in {
        "jax_enable_x64": True,
        "jax_threefry_partitionable": False,
        "jax_numpy_dtype_promotion": "strict",
        "jax_numpy_rank_promotion": "raise",
        "jax_default_matmul_precision": "highest",
        "jax_disable_jit": True,
    }.items():
        with config.override(**{name: value}):
            assert config.trace_key() != key
    with config.override(jax_log_compiles=True):
        assert config.trace_key() == key
    assert config.trace_key() == key


def test_listeners_hear_of_every_change():
    own, heard = Config(), []
    own.on_change(lambda: heard.append(own.anywhere("jax_debug_nans")))
    own.update("jax_debug_nans", True)
    own.update("jax_debug_nans", False)
    with own.override(jax_debug_nans=True):
        assert heard == [True, False, True]
    assert heard == [True, False, True, False]


NAN = {
    "eager": (lambda: jnp.log(jnp.float32(-1.0)), "invalid value (nan) encountered in log"),
    "bfloat16": (lambda: jnp.log(jnp.bfloat16(-1.0)), "encountered in log"),
    "jit": (lambda: adlib.jit(jnp.log)(-1.0), "encountered in jit"),
    "grad": (lambda: adlib.grad(lambda x: jnp.where(x > 0, x * jnp.log(x), 0.0))(0.0),
             "encountered in mul"),
    "vmap": (lambda: adlib.vmap(jnp.log)(-jnp.ones(2)), "encountered in log"),
}  # fmt: skip


@pytest.mark.parametrize("name", NAN)
def test_debug_nans(name):
    f, text = NAN[name]
    for _ in range(3):  # whether or not programs for it are kept already
        f()
    with adlib.debug_nans(True), pytest.raises(FloatingPointError) as caught:
        f()
    assert text in str(caught.value)
    assert "test_config.py" in str(caught.value)
    f()


def test_debug_infs():
    with config.override(jax_debug_infs=True), pytest.raises(FloatingPointError) as caught:
        jnp.log(jnp.float32(0.0))
    assert "infinity encountered in log" in str(caught.value)


def test_debug_nans_in_another_thread_does_not_concern_this_one():
    inside, done = threading.Event(), threading.Event()

    def watch():
        with adlib.debug_nans(True):
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=watch)
    thread.start()
    inside.wait(10)
    assert np.isnan(float(jnp.log(jnp.float32(-1.0))))
    done.set()
    thread.join()


def test_enable_checks_compares_results_with_their_types():
    wrong = adlib.core.Primitive("wrong")
    wrong.def_abstract_eval(lambda x: x.update(shape=(7,)))
    wrong.def_impl(lambda x: x)
    wrong.bind(jnp.ones(2))
    with adlib.enable_checks(True), pytest.raises(TypeError) as caught:
        wrong.bind(jnp.ones(2))
    assert "wrong: kernel made float32(2,), shape rule says f32[7]" in str(caught.value)
    with adlib.enable_checks(True):
        assert float(adlib.grad(lambda x: jnp.sin(x) * x)(0.0)) == 0.0
