"""Where a job's files lie: paths as the script sees them, and the parts of the host's directory they are.

A host's directory has one part per mount: "ml" is /opt/ml itself, "inputs/N" lie under an overlay, "volumes/N" are
written to directly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sagehouse.domain.jobs.spec import ML_ROOT, Input, Spec, is_below
from sagehouse.domain.jobs.training import DATA


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Roots are absolute paths inside the job, none below another of the same kind."""

    overlays: Sequence[str]
    volumes: Sequence[str]

    @property
    def parts(self) -> dict[str, str]:
        """Part of the host's directory -> the root it is inside the job, in the order they are mounted."""
        parts = {"ml": ML_ROOT}
        parts |= {f"volumes/{number}": root for number, root in enumerate(self.volumes)}
        parts |= {f"inputs/{number}": root for number, root in enumerate(self.overlays)}
        return parts

    def locate(self, path: str) -> str:
        """Return where in the host's directory the innermost mount keeps an absolute path of the job."""
        part, root = max(
            ((part, root) for part, root in self.parts.items() if is_below(path, root)), key=lambda one: len(one[1])
        )
        return f"{part}/{path[len(root) :].strip('/')}".rstrip("/")


def layout_of(spec: Spec) -> Layout:
    """Return the layout every host of a job has."""
    overlaid = [one.path for one in spec.inputs if not is_copied(one, spec)]
    if spec.kind == "TrainingJob" and overlaid:
        overlaid = [DATA]
    return Layout(
        overlays=_outermost(overlaid),
        volumes=_outermost(path for path in (*spec.directories, *_copied(spec)) if not is_below(path, ML_ROOT)),
    )


def is_copied(one: Input, spec: Spec) -> bool:
    """Whether an input must be real files because what the script makes there, or around it, is stored afterwards."""
    if any(is_below(output.path, one.path) or is_below(one.path, output.path) for output in spec.outputs):
        return True
    return any(is_below(path, one.path) for path in spec.directories)


def _copied(spec: Spec) -> Iterable[str]:
    return (one.path for one in spec.inputs if is_copied(one, spec))


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    roots: list[str] = []
    for path in sorted(set(paths), key=len):
        if not any(is_below(path, root) for root in roots):
            roots.append(path)
    return tuple(roots)
