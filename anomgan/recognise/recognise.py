"""A watch -> findings: what is no telemetry is set aside, topics are looked at, put together, decoded and parted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from anomgan.errors import ConfigError
from anomgan.recognise.aside import bridge_base, set_aside
from anomgan.recognise.decoded import FormHeard
from anomgan.recognise.findings import Findings, FleetFound, NotUnderstood
from anomgan.recognise.fleets import Draft, drafts
from anomgan.recognise.forms import Form, Formed, families, forms
from anomgan.recognise.routes import in_order, routed, summed, told_apart
from anomgan.recognise.samples import Heard, Sample, Watch
from anomgan.recognise.subjects import Subject, subject_of

MOST_FLEETS = 100
CROWDED = f"there are more kinds of telemetry than the {MOST_FLEETS} fleets of a file: watch a part with --topic"
Odd = dict[str, tuple[Sample, str]]
"""topic -> its first message, and why nothing reads it"""


def recognise(watch: Watch) -> Findings:
    """What is on a broker. Every message is in a fleet, not understood, set aside, or beyond what a watch keeps."""
    aside: Counter[str] = Counter()
    odd: Odd = {}
    beyond = watch.beyond
    bases = frozenset(base for topic in watch.topics if (base := bridge_base(topic)))
    subjects: list[Subject] = []
    for topic, heard in watch.topics.items():
        if not heard.samples:
            beyond += heard.messages
            continue
        reasons = [set_aside(topic, sample.payload) for sample in heard.samples]
        if all(reasons):
            aside[reasons[0]] += heard.messages
            continue
        spoken = [sample for sample, reason in zip(heard.samples, reasons, strict=True) if not reason]
        subject = subject_of(topic, _only(heard, spoken), bases)
        if isinstance(subject, Subject):
            subjects.append(subject)
        else:
            odd[topic] = spoken[0], subject
    merged: dict[Form, Formed] = {}
    for family in families(_with_times_of_their_like(subjects)):
        made, unreadable = forms(family, bases)
        for topic, why in unreadable.items():
            odd[topic] = watch.topics[topic].samples[0], why
        for one in made:
            before = merged.get(one.form)
            merged[one.form] = one if before is None else _together(before, one)
    found: list[Draft] = []
    for formed in sorted(merged.values(), key=lambda formed: -sum(watch.topics[t].messages for t in formed.topics)):
        if len(found) < MOST_FLEETS:
            found += _decoded(formed, watch, odd)
        else:
            odd.update((topic, (watch.topics[topic].samples[0], CROWDED)) for topic in formed.topics)
    fleets, refused = routed(
        told_apart(found[:MOST_FLEETS]),
        watch,
        [topic for one in merged.values() for topic in one.topics if topic not in odd],
    )
    topics = watch.topics
    refused += [
        NotUnderstood(topic, sample.payload, why, topics[topic].messages) for topic, (sample, why) in odd.items()
    ]
    # one whose topics all went to another has nothing to say; with Sparkplug B only its birth may be to come
    fleets = [fleet for fleet in fleets if fleet.messages or fleet.dialect == "sparkplug_b"]
    return Findings(tuple(fleets), summed(refused), dict(aside), watch.messages, len(topics), beyond)


def _together(one: Formed, other: Formed) -> Formed:
    """Two of one form."""
    return Formed(one.form, (*one.topics, *other.topics), tuple(dict.fromkeys([*one.notes, *other.notes])))


def _only(heard: Heard, samples: list[Sample]) -> Heard:
    """The same with other samples."""
    part = Heard()
    part.messages, part.retained, part.samples = heard.messages, heard.retained, samples
    return part


def _with_times_of_their_like(subjects: Sequence[Subject]) -> list[Subject]:
    """Where one topic says no time and all others of its sort agree on one, it is read like them."""

    def sort_of(subject: Subject) -> tuple[object, ...]:
        return subject.dialect, len(subject.levels), subject.levels[0]

    known: dict[object, set[tuple[str, str]]] = {}
    example = {}
    for subject in subjects:
        if subject.time.key:
            known.setdefault(sort_of(subject), set()).add((subject.time.key, subject.time.unit))
            example[sort_of(subject)] = subject.time
    adopted = []
    for subject in subjects:
        sort = sort_of(subject)
        time = example.get(sort)
        if time is None or subject.time.key or len(known[sort]) > 1:
            adopted.append(subject)
        elif any(fields.get(time.key) is not None for fields, _ in subject.rows):
            adopted.append(subject)  # it has that field, and it is no time
        else:
            adopted.append(replace(subject, time=time))
    return adopted


def _decoded(formed: Formed, watch: Watch, odd: Odd) -> list[Draft]:
    """The fleets of one form; what its topics cannot be read for goes to `odd`."""
    try:
        decoder = FleetFound(**formed.form._asdict()).decoder()
    except ConfigError as error:
        odd.update((topic, (watch.topics[topic].samples[0], str(error))) for topic in formed.topics)
        return []
    heard = FormHeard(decoder)
    heard.hear(in_order(watch, formed.topics))
    return drafts(formed, heard, watch.topics)
