"""The shape of the report on what will be trained: `hcpgraph check --json` and POST /api/data-report."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

FlatId = Annotated[str, Field(description="`node`, or `instance/node` inside a subgraph.")]

Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=1)]
Size = Annotated[tuple[Pixels, Pixels], Field(description="Width and height.")]
Tally = Annotated[int, Field(ge=0)]


class Problem(TypedDict):
    """One thing that is wrong: a stable code, the place, the facts and the remedy."""

    code: str
    message: str
    node: NotRequired[FlatId]
    port: NotRequired[str]
    hint: NotRequired[str]
    severity: Literal["error", "warning"]


class DataSource(TypedDict):
    """A node that samples come from."""

    node: FlatId
    name: str
    samples: Tally


class DataSizes(TypedDict):
    """The pictures with the fewest, the middle and the most pixels."""

    smallest: Size
    median: Size
    largest: Size


class DataBucket(TypedDict):
    """One size that pictures are brought to."""

    width: Annotated[int, Field(ge=0)]
    height: Annotated[int, Field(ge=0)]
    count: Tally
    crop_mean: Annotated[Share, Field(description="Part of a picture that is cut off, over its samples.")]
    crop_max: Share
    enlarged: Annotated[Tally, Field(description="Samples that are smaller than the size.")]
    leftover: Annotated[Tally, Field(description="Samples an epoch that are repeated, left out or in a smaller batch.")]
    ids: list[str]


class DataTraining(TypedDict):
    """A training loop that a loader feeds."""

    node: FlatId
    steps: Annotated[int, Field(ge=1, description="Optimizer steps.")]
    accumulate: Annotated[int, Field(ge=1)]
    batches: Annotated[int, Field(ge=1, description="Batches that it takes: steps times accumulate.")]
    epochs: Annotated[float, Field(ge=0)]
    samples: Annotated[Tally, Field(description="Samples that it sees.")]
    seen: Annotated[float, Field(ge=0, description="How often it sees a picture, on average.")]
    never: Annotated[Tally, Field(description="Pictures that it never sees because it ends before its first epoch.")]


class DataCaption(TypedDict):
    """A caption, and what the text encoder gets of it."""

    id: str
    step: Tally
    caption: str
    text: str


class DataTexts(TypedDict):
    """What one text encoder sees in the first steps."""

    node: Annotated[FlatId, Field(description="The node that encodes, or the one that gives the captions.")]
    loop: FlatId
    captions: list[DataCaption]
    reason: NotRequired[Annotated[str, Field(description="Why the captions are those of the files.")]]


class DataWarning(TypedDict):
    """Something that is allowed and seldom wanted."""

    code: str
    message: str
    node: FlatId
    count: Annotated[Tally, Field(description="Samples, groups of them, or buckets that it is about.")]
    ids: Annotated[list[str], Field(description="The first of them.")]


class DataTile(TypedDict):
    """A sample as its batch takes it."""

    id: str
    bucket: Annotated[Tally, Field(description="Place in `buckets`.")]
    caption: str
    picture: Annotated[str, Field(description="A data: address.")]
    width: Annotated[Pixels, Field(description="Of the thumbnail.")]
    height: Pixels


class DataNote(TypedDict):
    """What a node said while it read the data."""

    node: FlatId
    level: str
    message: str


class LoaderReport(TypedDict):
    """One loader: what it reads and what comes out of it."""

    node: FlatId
    type: str
    buckets_node: FlatId
    name: str
    sources: list[DataSource]
    samples: Annotated[Tally, Field(description="With repeats.")]
    pictures: Annotated[Tally, Field(description="Different ones.")]
    captions: Annotated[Tally, Field(description="Samples that have one.")]
    empty: Annotated[Tally, Field(description="Samples without caption.")]
    distinct: Annotated[Tally, Field(description="Different captions.")]
    conditions: Tally
    masks: Tally
    transformed: Annotated[Tally, Field(description="Samples that are changed after cropping.")]
    sizes: DataSizes | None
    crop: Literal["random", "center"]
    fit: Literal["cover", "pad"]
    leftover: Literal["pad_repeat", "drop", "partial", "merge"]
    batch_size: Annotated[int, Field(ge=1)]
    batches: Annotated[int, Field(ge=1, description="Batches an epoch.")]
    per_epoch: Annotated[Tally, Field(description="Samples an epoch, repeated ones included.")]
    buckets: list[DataBucket]
    training: list[DataTraining]
    texts: list[DataTexts]
    warnings: list[DataWarning]
    sheet: list[DataTile]


class DataReport(TypedDict):
    """What will be trained: one entry for every loader whose data could be read."""

    ok: Annotated[bool, Field(description="No problem is an error.")]
    lang: str
    title: str | None
    problems: list[Problem]
    notes: list[DataNote]
    loaders: list[LoaderReport]


class DataReportLine(TypedDict):
    """One line of the reply of POST /api/data-report."""

    kind: Literal["progress", "report", "failed"]
    node: NotRequired[str]
    value: NotRequired[Tally]
    total: NotRequired[Tally]
    report: NotRequired[DataReport]
    problems: NotRequired[list[Problem]]
