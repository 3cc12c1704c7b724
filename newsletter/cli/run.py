"""`paperround run` and `paperround tick`: planning and sending, for as long as wanted or once."""

import os
import signal
import sys
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.common import AtOption, note_error, open_site, parse_instant
from newsletter.cli.inbound import tell_handled
from newsletter.cli.output import Progress, cell, count_of, is_terminal, note, tally

if TYPE_CHECKING:
    from newsletter.app import App, Mailed, SendReport
    from newsletter.delivery.ledger import Recovered
    from newsletter.delivery.postman import Posted
    from newsletter.delivery.relays import Relay
    from newsletter.feedback.verdicts import Judged
    from newsletter.schedule.planned import PlanFailure, PlannedIssue
    from newsletter.schedule.runner import Runner


_ACTED = ("suppressed", "probe")
"""Effects of verdicts that change what a reader gets."""
PLAN_SECONDS = 15.0
"""How often `run` looks for slots that are due."""
FORGET_SECONDS = 600.0
"""How often it lets go of what is kept for a while only."""
SEND_SECONDS = 1.0
"""How often it looks for letters that are: what a person has resumed goes on at once."""


def stop_event() -> Event:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the process where it stands."""
    stop = Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            note("Stopping: letters in flight are finished first. Ctrl-C again leaves at once.")
        elif number == signal.SIGINT:
            # As safe as any crash: the ledger knows what was in flight, and the next process takes it over.
            note("Left at once. The next `tick` or `run` goes on.")
            os._exit(130)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


def tick(
    context: typer.Context,
    at: AtOption = None,
    really: Annotated[
        bool, typer.Option("--really", help="Use --at even though the relay reaches real readers.")
    ] = False,
) -> None:
    """Make one pass: plan what is due, send what is due."""
    instant = parse_instant(at) if at is not None else None

    from newsletter.app import SendReport, check_trial

    site = open_site(context, instant)
    if instant:
        check_trial(site.settings, really=really)
    stop = stop_event()
    failed = not instant and not look_into_mailbox(site)  # a mailbox has the time of the real world
    tell_handled(site.handle_inbound())
    tell_judged(site.judge_new())  # what a process left that died over it: nothing is planned for who is gone
    planned = site.plan_due()
    failed |= tell_planned(planned)
    with site.open_relays() as relays:
        warn_of_sandbox(site)
        tell_posted(site.post_notes(relays))
        with Progress() as progress:
            report = site.send_due(
                relays,
                stop,
                progress=lambda sofar: progress(tally(sofar.states)),
                recovered=lambda recovered: tell_recovered(site, recovered),
            )
        failed |= tell_sent(site, report)
        tell_judged(site.judge_new())
        if not stop.is_set():
            tell_mailed(site.tell_editor(relays))
    site.forget()
    if not planned and report == SendReport() and is_terminal():
        note("Nothing is due; `paperround plan` shows what comes.")
    if stop.is_set():
        tell_standing(site)
        failed = True
    if failed:
        raise typer.Exit(1)


def run(context: typer.Context) -> None:
    """Keep the site going: plan, send and serve, until Ctrl-C."""
    site = open_site(context)
    stop = stop_event()
    with site.open_relays() as relays:
        keep_going(site, relays, stop)
    tell_standing(site)


def keep_going(site: "App", relays: "list[Relay]", stop: Event) -> None:
    """Plan and send every so often and serve the pages, until `stop` is set."""
    from newsletter.web.server import PageServer

    with PageServer(site) as server, site.open_entrances(note_error) as entrances:
        warn_of_sandbox(site)
        mail = f"; mail comes in {' and '.join(entrances)}" if entrances else ""
        note(f"{site.settings.site.name} is running; its pages are at {server.url}{mail}. Ctrl-C stops it.")
        make_runner(site, relays, stop, plan_every=PLAN_SECONDS, send_every=SEND_SECONDS).run_until(stop)


def look_into_mailbox(site: "App") -> bool:
    """Take in what has arrived there; False, said, if that cannot be done now."""
    from newsletter.errors import EntranceError, SettingsError

    try:
        site.look_into_mailbox(note_error)
    except (EntranceError, SettingsError) as error:  # letters go out all the same
        note_error(error)
        return False
    return True


def make_runner(
    site: "App", relays: "list[Relay]", stop: Event, *, plan_every: float, send_every: float
) -> "Runner":
    """The scheduler with its jobs, which say on the terminal what they do."""
    from newsletter.schedule.runner import Runner

    def plan_job() -> None:
        tell_planned(site.plan_due())

    def send_job() -> None:
        report = site.send_due(relays, stop, recovered=lambda recovered: tell_recovered(site, recovered))
        tell_sent(site, report)

    def judge_job() -> None:
        tell_judged(site.judge_new())

    def tell_job() -> None:
        tell_mailed(site.tell_editor(relays))

    def inbound_job() -> None:
        tell_handled(site.handle_inbound())

    def notes_job() -> None:
        tell_posted(site.post_notes(relays))

    jobs = {
        "plan": (plan_job, plan_every),
        "send": (send_job, send_every),
        "judge": (judge_job, send_every),  # apart: a thousand dead addresses keep no letter waiting
        "tell": (tell_job, plan_every),  # apart: a relay that is slow to take it keeps no letter waiting
        "inbound": (inbound_job, send_every),
        "notes": (notes_job, send_every),  # apart, as above
        "forget": (site.forget, FORGET_SECONDS),
    }
    return Runner(jobs, report=note_error)


def warn_of_sandbox(site: "App") -> None:
    """Say loudly that nothing leaves this machine."""
    if site.settings.relay.is_sandbox:
        note(
            f"SANDBOX: letters are kept in {site.settings.sandbox_folder} and sent to nobody. "
            f"Name a relay in [relay] to send."
        )


def tell_planned(issues: "list[PlannedIssue | PlanFailure]") -> bool:
    """Print what planning did; True if a slot could not be planned."""
    from newsletter.errors import ContentError
    from newsletter.schedule.planned import PlanFailure
    from newsletter.states import DIGEST

    failed = False
    missed = [issue for issue in issues if not isinstance(issue, PlanFailure) and issue.state == "skipped"]
    _tell_missed(missed)
    for issue in issues:
        if issue in missed:
            continue
        if isinstance(issue, PlanFailure):
            failed = True
            is_of_slot = issue.slot != "welcome" and issue.category != DIGEST
            is_of_post = isinstance(issue.error, ContentError) and is_of_slot
            then = "; `paperround queue hold` lets another post go" if is_of_post else ""
            note(
                f"paperround: {issue.category} {issue.slot} could not be planned and stays due{then}: "
                f"{issue.error}"
            )
        elif issue.posts:
            titles = "; ".join(post.title for post in issue.posts)
            readers = count_of(issue.readers, "reader")
            if issue.in_digests and issue.category != DIGEST:
                readers += f", {issue.in_digests} of them in digests"
            print(f"{issue.category} {issue.slot}: issue {issue.issue_id} for {readers}: {titles}")
        else:
            print(f"{issue.category} {issue.slot}: {issue.state}: {issue.reason}")
    sys.stdout.flush()
    return failed


def _tell_missed(slots: "list[PlannedIssue]") -> None:
    """A line a category, however many of its slots were found too late."""
    for category in dict.fromkeys(issue.category for issue in slots):
        missed = [issue for issue in slots if issue.category == category]
        first, last = missed[0], missed[-1]
        what = first.slot if first is last else f"{len(missed)} slots from {first.slot} to {last.slot}"
        print(f"{category} {what}: skipped: {'the last ' if first is not last else ''}{last.reason}")


def tell_recovered(site: "App", recovered: "Recovered") -> None:
    """Name letters that nobody can be sure of as soon as that is known: this pass may not end well either."""
    if recovered.requeued:
        print(f"taken over from a dead process: {count_of(recovered.requeued, 'untried letter')}")
    policy = "to be sent again" if site.settings.delivery.in_doubt == "resend" else "held"
    for delivery, address in recovered.in_doubt:
        print(f"in doubt after a crash: delivery {delivery} to {address}; {policy}")
    sys.stdout.flush()


def tell_sent(site: "App", report: "SendReport") -> bool:
    """Print what sending did; True if an issue was halted, or no relay could be used."""
    if report.tally.expired:
        print(f"{report.tally.expired} expired")
    if report.tally.states:
        print(tally(report.tally.states))
    sys.stdout.flush()
    for state, words in report.tally.refusals.items():
        note(f"{str(state).replace('_', ' ')}, the first of them: {words}")
    for verdict in report.tally.verdicts:
        if verdict.has_passed:
            note(f"Issue {verdict.issue_id}: its first share was taken well, and the others follow.")
        else:
            note(
                f"Issue {verdict.issue_id} is halted: {verdict.reason}. `paperround issue resume "
                f"{verdict.issue_id}` lets the others go, `issue cancel {verdict.issue_id}` ends it."
            )
    for issue in report.stopped:
        why = f" ({issue.reason})" if issue.reason else ""
        is_paused = issue.state == "paused"
        then = f"; `paperround issue resume {issue.issue_id}` lets the rest go" if is_paused else ""
        note(f"Issue {issue.issue_id} was {issue.state} meanwhile{why}{then}.")
    for domain, words in report.tally.resting.items():
        note(f"{domain} refuses letters for policy and is left alone for ten minutes: {words}")
    stuck = report.tally.relay_error
    errors = report.down or list(filter(None, [stuck]))
    stays = stuck is not None or len(errors) == len(site.settings.relays)
    then = "Every letter that was not tried stays queued" if stays else "Its letters go by the others"
    for error in errors:
        note(f"paperround: {str(error).removesuffix('.')}. {then}")
    is_any_halted = any(not verdict.has_passed for verdict in report.tally.verdicts)
    return stays or is_any_halted


def tell_judged(judged: "list[Judged]") -> None:
    """Print how many readers are written to no more, or are asked whether letters reach them."""
    suppressed, probed = ({one.subscriber_id for one in judged if one.effect == effect} for effect in _ACTED)
    told = [f"{count_of(len(suppressed), 'reader')} suppressed"] if suppressed else []
    told += [f"{count_of(len(probed), 'reader')} probed"] if probed else []
    if told:
        print(f"letters that came back: {', '.join(told)}")
        sys.stdout.flush()


def tell_posted(posted: "list[Posted]") -> None:
    """Print how many confirmations and answers went out; say of the first that did not what was said."""
    counts: dict[str, int] = {}
    for one in posted:
        counts[one.state] = counts.get(one.state, 0) + 1
    if counts:
        print(f"answers and confirmations: {tally(counts)}")
        sys.stdout.flush()
    stuck = next((one for one in posted if one.state != "sent"), None)
    if stuck:
        note(f"paperround: a note could not be sent ({stuck.reply}); it is tried again later")


def tell_mailed(mailed: "Mailed | None") -> None:
    """Say that the editor was told something by email, or could not be."""
    if mailed is None:
        return
    if mailed.is_sent:
        print(f"the editor was told: {cell(mailed.subject)}")
        sys.stdout.flush()
    else:
        note(f"paperround: the editor could not be told ({mailed.reply}); it is tried again later")


def tell_standing(site: "App") -> None:
    """Say where every unfinished issue stands."""
    from newsletter.delivery.reports import standing

    with site.database.read() as session:
        unfinished = standing(session)
    for issue_id, category, counts in unfinished:
        note(f"Stopped. Issue {issue_id} of {category}: {tally(counts)}. The next `tick` or `run` goes on.")
    if not unfinished:
        note("Stopped. Nothing is waiting to be sent.")
