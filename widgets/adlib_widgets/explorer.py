"""What the interactive views have in common: a static form, requests to the kernel, saving.

Only ``explore()`` imports this module, so that the static views need no widget library.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from adlib_widgets.bundle import script, style
from adlib_widgets.page import standalone
from adlib_widgets.static_view import StaticView

_WIDGET = "application/vnd.jupyter.widget-view+json"


class Explorer(anywidget.AnyWidget):
    """A view that answers to clicks and keys; subclasses give ``name`` and fill ``data``.

    Attributes:
      view: the static view that is explored; what a page without scripts shows.
      data: what the script draws, as JSON.
      title: the picture's name, for readers who do not see it.
    """

    name: ClassVar[str] = ""  # of the script and the style sheet

    title = traitlets.Unicode().tag(sync=True)
    data = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in vars(cls):  # not in the classes that anywidget makes, which add traits
            cls._esm = script(cls.name)
            cls._css = style(cls.name)

    def __init__(self, view: StaticView, **traits: Any) -> None:
        self.view = view
        super().__init__(**self._traits_of(view), **traits)
        self.on_msg(self._answer)

    def _traits_of(self, view: StaticView) -> dict[str, Any]:
        """The traits that show ``view``: ``title`` and ``data`` at least."""
        raise NotImplementedError

    def show(self, view: StaticView) -> None:
        """Draw another view of the same kind, in place; choices that still apply are kept."""
        self.view = view
        with self.hold_sync():
            for name, value in self._traits_of(view).items():
                setattr(self, name, value)

    def requests(self) -> dict[str, Callable[..., Any]]:
        """What the script may ask for: names, and functions from keywords to JSON values."""
        return {}

    def _answer(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Run one request of the script. An error is an answer too: the view says it in words."""
        if not isinstance(content, dict) or "request" not in content:
            return
        answer: dict[str, Any] = {"reply": content.get("id")}
        try:
            handler = self.requests()[content["request"]]
            answer["value"] = handler(**content.get("arguments", {}))
        except Exception as error:  # a kernel must survive whatever a page sends
            answer["error"] = f"{type(error).__name__}: {error}"
        self.send(answer)

    def to_html(self) -> str:
        """The view as one page that needs neither a kernel nor the network."""
        state = {name: getattr(self, name) for name in self.traits(sync=True) if name[0] != "_"}
        plain = {k: v for k, v in state.items() if k not in ("layout", "tabbable", "tooltip")}
        return standalone(self.name, plain, title=self.title)

    def save(self, path: str | Path) -> Path:
        """Write the page of ``to_html`` to a ``.html`` file; gives the path back.

        Raises:
          ValueError: for another ending; the static view saves other kinds of file.
        """
        path = Path(path)
        if path.suffix != ".html":
            raise ValueError(
                f"save() of an interactive view writes an .html file; it was given {path.name!r}. "
                "For other kinds of file, save the static view: .view.save(...)."
            )
        path.write_text(self.to_html(), encoding="utf-8")
        return path

    def __repr__(self) -> str:
        return repr(self.view)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and beside it the static view: deterministic, and shown without scripts."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        static = self.view._repr_mimebundle_()
        return {**static, **{kind: data[kind] for kind in (_WIDGET,) if kind in data}}, metadata
