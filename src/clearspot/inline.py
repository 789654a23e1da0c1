"""The runner without Prefect: the pipeline's steps on threads of this process."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from clearspot import pipeline
from clearspot.delivery import Outcome, as_error, refuse_deliverable
from clearspot.job import Job
from clearspot.pipeline import Bed
from clearspot.stages.align import TimedScript
from clearspot.waiting import result_of
from clearspot.workshop import workshop


def run(job: Job) -> list[Outcome]:
    """Every deliverable of a job: made and exported, or refused. One that fails does not stop the others."""
    pipeline.warm_up(job)
    with workshop(job.out) as folder:
        return run_in(job, folder)


def run_in(job: Job, folder: Path, known: TimedScript | None = None) -> list[Outcome]:
    """Every deliverable of a job, its candidates in a folder; ``known`` is the timed script where it is known."""

    def timed_script() -> TimedScript:
        return known or pipeline.align_script(job, pipeline.transcribe_recording(job))

    with ThreadPoolExecutor(_threads(job), "clearspot") as pool:
        try:
            bed = pool.submit(pipeline.look_at_bed, job)
            timed = pool.submit(timed_script)
            locales = [pool.submit(_locale, job, locale, timed, bed, folder, pool) for locale in job.locales]
            outcomes = [outcome for future in locales for outcome in result_of(future)]
        except BaseException:
            job.studio.stop()  # first, so that what waits for it ends too
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return outcomes


def _locale(
    job: Job,
    locale: str,
    timed: Future[TimedScript],
    bed: Future[Bed | None],
    folder: Path,
    pool: ThreadPoolExecutor,
) -> list[Outcome]:
    """One locale from words to deliverables; an error before the profiles part is every profile's."""
    try:
        translation = pipeline.translate_script(job, locale)
        grant = pipeline.authorize_voice(job, locale)
        script = timed.result()
        timeline = pipeline.fit_timeline(job, script, grant, pipeline.speak_lines(job, translation, grant))
        programme = pipeline.mix_programme(job, timeline, bed.result(), locale)
    except Exception as error:  # noqa: BLE001  (one locale's trouble, whatever it is, does not stop the others)
        told = as_error(error, locale)
        return [refuse_deliverable(job, locale, profile, told) for profile in job.todo[locale]]

    def deliver(profile: str) -> Outcome:
        try:
            made = pipeline.disclose_programme(job, programme, timeline, translation, grant, profile, folder)
            return pipeline.export_candidate(job, made, pipeline.gate_candidate(job, made, script))
        except Exception as error:  # noqa: BLE001
            return refuse_deliverable(job, locale, profile, as_error(error, locale))

    return [future.result() for future in [pool.submit(deliver, profile) for profile in job.todo[locale]]]


def _threads(job: Job) -> int:
    """Enough that no thread waits for one that was not started; ``Studio.work`` holds back what is heavy."""
    return 3 + len(job.locales) * (1 + len(job.profiles))
