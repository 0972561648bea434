"""Loading and unloading."""


def test_loading_brings_the_magics_and_unloading_takes_them_away(ipython):
    manager = ipython.shell.magics_manager
    assert "grad" in manager.magics["cell"]
    assert {"jaxpr", "adtime"} <= set(manager.magics["line"])
    ipython.run("%unload_ext adlib_kernel")
    assert "grad" not in manager.magics["cell"]
    assert not {"jaxpr", "adtime"} & set(manager.magics["line"])
    ipython.run("%load_ext adlib_kernel")
    assert "grad" in manager.magics["cell"]


def test_loading_twice_leaves_one_matcher(ipython):
    count = len(ipython.shell.Completer.custom_matchers)
    ipython.run("%reload_ext adlib_kernel")
    assert len(ipython.shell.Completer.custom_matchers) == count
