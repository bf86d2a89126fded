"""The section "Learn": from few corrections to many good frames, by order, propagation and adaptation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section, sentence
from RASNetSlicerLib.panel_tasks import TaskRow

if TYPE_CHECKING:
    from RASNetSlicerLib.process import Event


class LearnSection(Section):
    """Says which frames to correct, carries corrections on, and lets the model learn from them."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self.on_click(ui.planReviewButton, self._plan)
        self.on_click(ui.propagateFrameButton, self._propagate_frame)
        self.on_click(ui.propagateAllButton, self._propagate_all)
        self.on_click(ui.adaptButton, self._adapt)
        self._row = TaskRow(
            panel,
            ("queue", "propagate", "adapt"),
            ui.learnProgressBar,
            ui.learnCancelButton,
            ui.learnLabel,
            ui.learnLogButton,
        )

    def update(self) -> None:
        """Show what is under way, and what came of it."""
        session, ui = self.session, self.ui
        free = session is not None and not session.busy
        for button in (ui.planReviewButton, ui.propagateAllButton, ui.adaptButton):
            button.enabled = free
        ui.propagateFrameButton.enabled = free and session is not None and session.shown.shown is not None
        result = session.tasks.result if session else None
        self._row.show(_outcome(result) if result is not None else "")

    def _plan(self) -> None:
        assert self.session is not None
        self.session.tasks.queue()

    def _propagate_frame(self) -> None:
        assert self.session is not None
        self.session.tasks.propagate(self.session.shown.shown)

    def _propagate_all(self) -> None:
        assert self.session is not None
        self.session.tasks.propagate(None)

    def _adapt(self) -> None:
        assert self.session is not None
        self.session.adapt()


def _outcome(result: Event) -> str:
    """What came of it in words; "" for what another section tells."""
    tell = {"queue": _queue_words, "travels": _travel_words, "adaptation": _adaptation_words}.get(result["event"])
    return tell(result) if tell is not None else ""


def _queue_words(result: Event) -> str:
    count = len(result["frames"])
    if not count:
        return _("Nothing is left to look at: every frame is reviewed, or looks like one that is.")
    return _("{count} frames are worth a look; Next shows the one that helps most.").format(count=count)


def _travel_words(result: Event) -> str:
    travels = result["travels"]
    trusts = {frame: trust for travel in travels for frame, trust in travel["trust"].items()}
    if len({travel["start"] for travel in travels}) > 1:
        return _("{count} frames follow the corrections.").format(count=len(trusts))
    if not trusts:
        stops = dict.fromkeys(_stop_words(travel["stopped"]) for travel in travels)
        return _("The correction stays where it is: {why}.").format(why=", ".join(stops))
    ways = [
        _("to frame {last} ({why})").format(last=travel["last"], why=_stop_words(travel["stopped"]))
        for travel in travels
        if travel["trust"]
    ]
    return _("{count} frames follow frame {start}: {ways}. Their masks are trusted by {least:.0%} or more.").format(
        count=len(trusts), start=travels[0]["start"], ways=_(" and ").join(ways), least=min(trusts.values())
    )


def _stop_words(reason: str) -> str:
    return {
        "cut": _("the video is cut there"),
        "human frame": _("a person has dealt with the next one"),
        "skipped frame": _("the next one is skipped"),
        "end of the case": _("the case ends there"),
        "little trust": _("its word counts for little beyond"),
        "damaged frame": _("the next one is damaged"),
    }[reason]


def _adaptation_words(result: Event) -> str:
    verdict = _("<b>New model kept.</b>") if result["kept"] else _("<b>Model stays as it was.</b>")
    words = [verdict, sentence(result["why"].removesuffix(", so the model stays as it was"))]
    words.append(
        _("It learnt from {learnt} frames and was judged by {held_back} others.").format(
            learnt=len(result["learnt"]), held_back=len(result["held_back"])
        )
    )
    if result["predicted"]:  # also where an earlier run was stopped before it had predicted all
        words.append(_("{count} frames were predicted anew.").format(count=result["predicted"]))
    return " ".join(words)
