// Generated from hcpgraph/server/schema/wire.py. Do not edit: change that file, then run: python web/tool.py types
// Graph files, node types, events, problems and every reply of the API.
// bundle 1ae6bde5f30acfccb8fc05a0a6f3fb8e81cf9069a1bd4d0b5b4ada0553080a15
/**
 * Any JSON value.
 */
export type Json =
  | null
  | boolean
  | number
  | string
  | Json[]
  | {
      [k: string]: Json;
    };
export type ClientMessage = FollowMessage | UnfollowMessage;
export type JobStatus = "queued" | "running" | "done" | "failed" | "cancelled";
export type ServerMessage =
  HelloMessage | QueueMessage | JobMessage | EventsMessage | WorkerMessage | MeterMessage | SpecsMessage;

/**
 * Every reply other than 2xx.
 */
export interface ApiError {
  problems: Problem[];
}
/**
 * One thing that is wrong: a stable code, the place, the facts and the remedy.
 */
export interface Problem {
  code: string;
  message: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node?: string;
  port?: string;
  hint?: string;
  severity: "error" | "warning";
}
/**
 * A file that a run wrote.
 */
export interface Artifact {
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  /**
   * `root:relative`.
   */
  uri: string;
  type: "image" | "weights" | "table" | "graph" | "file";
  step?: number;
  /**
   * Some of its values were infinite or not numbers; it is black there.
   */
  not_finite?: boolean;
  seq: number;
  /**
   * Since 1970.
   */
  t: number;
  [k: string]: Json | string | "image" | "weights" | "table" | "graph" | "file" | number | boolean | undefined;
}
/**
 * A drawing: the root of a file, or the body of a subgraph.
 */
export interface Body {
  nodes: {
    [k: string]: NodeEntry;
  };
  /**
   * Target port -> source port: `"train.loss.0": "mean.out"`.
   */
  edges: {
    [k: string]: string;
  };
  interface: Interface;
  view: View;
}
/**
 * One node of a graph file.
 */
export interface NodeEntry {
  type: string;
  version: number;
  /**
   * The owner of the region it lives in.
   */
  in?: string;
  settings?: {
    [k: string]: Json;
  };
  mode?: "mute" | "bypass";
  /**
   * Name of its random draws.
   */
  stream?: string;
  title?: string;
}
/**
 * What a graph shows to the outside: inputs that feed targets in it, outputs taken from sources in it.
 */
export interface Interface {
  inputs?: {
    [k: string]: string[];
  };
  outputs?: {
    [k: string]: string;
  };
}
/**
 * Where things are drawn: node id -> [x, y] or [x, y, width, height], absolute on the canvas of its body.
 */
export interface View {
  nodes?: {
    [k: string]: number[];
  };
  notes?: Note[];
  frames?: Frame[];
}
/**
 * A text on the canvas, Markdown.
 */
export interface Note {
  id: string;
  /**
   * @minItems 4
   * @maxItems 4
   */
  at: [number, number, number, number];
  text: string;
  color?: string;
}
/**
 * A box around nodes, with a title.
 */
export interface Frame {
  id: string;
  /**
   * @minItems 4
   * @maxItems 4
   */
  at: [number, number, number, number];
  title: string;
  color?: string;
}
/**
 * POST /api/capabilities: what a graph would touch if it were run.
 */
export interface Capabilities {
  reads: Read[];
  writes: Write[];
  objects: NamedObject[];
  unknown: UnknownSetting[];
  packs: NeededPack[];
  types_missing: MissingType[];
  files: NeededFile[];
  hub: Fetch[];
}
export interface Read {
  /**
   * `root:relative`.
   */
  uri: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  exists: boolean;
}
export interface Write {
  /**
   * `root:relative`.
   */
  uri: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  /**
   * Why the run may not write there, unless it is allowed to.
   */
  problem: Problem | null;
}
export interface NamedObject {
  /**
   * `package.module:Class`.
   */
  path: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  trusted: boolean;
}
/**
 * A file or a class that is named only during the run.
 */
export interface UnknownSetting {
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  setting: string;
  kind: "write" | "read" | "object";
  /**
   * `node.port` that gives it.
   */
  source: string;
}
export interface NeededPack {
  name: string;
  requires: string;
  installed: string | null;
  ok: boolean;
}
export interface MissingType {
  type: string;
  /**
   * Items: `node`, or `instance/node` inside a subgraph.
   */
  nodes: string[];
}
export interface NeededFile {
  /**
   * `root:relative`.
   */
  uri: string;
  sha256: string;
  size: number | null;
  /**
   * Where it is here, by name or by content.
   */
  found: string | null;
  /**
   * null: its content has not been hashed yet.
   */
  same: boolean | null;
  hub: string | null;
}
export interface Fetch {
  /**
   * `root:relative`.
   */
  uri: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
}
/**
 * POST /api/check
 */
export interface Check {
  ok: boolean;
  hash: string | null;
  problems: Problem[];
  /**
   * `node.port` (flat ids) -> resolved type of every output and entry, of instances too.
   */
  ports: {
    [k: string]: string;
  };
  /**
   * Nodes inside a region that run once, before it.
   *
   * Items: `node`, or `instance/node` inside a subgraph.
   */
  once: string[];
  /**
   * `node.port` -> known facts.
   */
  facts: {
    [k: string]: {
      [k: string]: Json;
    };
  };
}
/**
 * A state of a training from which it can go on.
 */
export interface Checkpoint {
  step: number;
  /**
   * `root:relative`.
   */
  uri: string;
}
/**
 * Which lazy ports a value of a setting asks for.
 */
export interface Choose {
  setting: string;
  table: {
    [k: string]: string[];
  };
}
export interface FollowMessage {
  type: "follow";
  job: string;
  since: number;
}
export interface UnfollowMessage {
  type: "unfollow";
  job: string;
}
/**
 * One size that pictures are brought to.
 */
export interface DataBucket {
  width: number;
  height: number;
  count: number;
  /**
   * Part of a picture that is cut off, over its samples.
   */
  crop_mean: number;
  crop_max: number;
  /**
   * Samples that are smaller than the size.
   */
  enlarged: number;
  /**
   * Samples an epoch that are repeated, left out or in a smaller batch.
   */
  leftover: number;
  ids: string[];
}
/**
 * A caption, and what the text encoder gets of it.
 */
export interface DataCaption {
  id: string;
  step: number;
  caption: string;
  text: string;
}
/**
 * What a node said while it read the data.
 */
export interface DataNote {
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  level: string;
  message: string;
}
/**
 * What will be trained: one entry for every loader whose data could be read.
 */
export interface DataReport {
  /**
   * No problem is an error.
   */
  ok: boolean;
  lang: string;
  title: string | null;
  problems: Problem[];
  notes: DataNote[];
  loaders: LoaderReport[];
}
/**
 * One loader: what it reads and what comes out of it.
 */
export interface LoaderReport {
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  type: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  buckets_node: string;
  name: string;
  sources: DataSource[];
  /**
   * With repeats.
   */
  samples: number;
  /**
   * Different ones.
   */
  pictures: number;
  /**
   * Samples that have one.
   */
  captions: number;
  /**
   * Samples without caption.
   */
  empty: number;
  /**
   * Different captions.
   */
  distinct: number;
  conditions: number;
  masks: number;
  /**
   * Samples that are changed after cropping.
   */
  transformed: number;
  sizes: DataSizes | null;
  crop: "random" | "center";
  fit: "cover" | "pad";
  leftover: "pad_repeat" | "drop" | "partial" | "merge";
  batch_size: number;
  /**
   * Batches an epoch.
   */
  batches: number;
  /**
   * Samples an epoch, repeated ones included.
   */
  per_epoch: number;
  buckets: DataBucket[];
  training: DataTraining[];
  texts: DataTexts[];
  warnings: DataWarning[];
  sheet: DataTile[];
}
/**
 * A node that samples come from.
 */
export interface DataSource {
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  name: string;
  samples: number;
}
/**
 * The pictures with the fewest, the middle and the most pixels.
 */
export interface DataSizes {
  /**
   * Width and height.
   *
   * @minItems 2
   * @maxItems 2
   */
  smallest: [number, number];
  /**
   * Width and height.
   *
   * @minItems 2
   * @maxItems 2
   */
  median: [number, number];
  /**
   * Width and height.
   *
   * @minItems 2
   * @maxItems 2
   */
  largest: [number, number];
}
/**
 * A training loop that a loader feeds.
 */
export interface DataTraining {
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  /**
   * Optimizer steps.
   */
  steps: number;
  accumulate: number;
  /**
   * Batches that it takes: steps times accumulate.
   */
  batches: number;
  epochs: number;
  /**
   * Samples that it sees.
   */
  samples: number;
  /**
   * How often it sees a picture, on average.
   */
  seen: number;
  /**
   * Pictures that it never sees because it ends before its first epoch.
   */
  never: number;
}
/**
 * What one text encoder sees in the first steps.
 */
export interface DataTexts {
  /**
   * The node that encodes, or the one that gives the captions.
   */
  node: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  loop: string;
  captions: DataCaption[];
  /**
   * Why the captions are those of the files.
   */
  reason?: string;
}
/**
 * Something that is allowed and seldom wanted.
 */
export interface DataWarning {
  code: string;
  message: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  /**
   * Samples, groups of them, or buckets that it is about.
   */
  count: number;
  /**
   * The first of them.
   */
  ids: string[];
}
/**
 * A sample as its batch takes it.
 */
export interface DataTile {
  id: string;
  /**
   * Place in `buckets`.
   */
  bucket: number;
  caption: string;
  /**
   * A data: address.
   */
  picture: string;
  /**
   * Of the thumbnail.
   */
  width: number;
  height: number;
}
/**
 * One line of the reply of POST /api/data-report.
 */
export interface DataReportLine {
  kind: "progress" | "report" | "failed";
  node?: string;
  value?: number;
  total?: number;
  report?: DataReport;
  problems?: Problem[];
}
/**
 * A graph file on the disk: what is empty may be left out.
 */
export interface Document {
  nodes: {
    [k: string]: NodeEntry;
  };
  /**
   * Target port -> source port: `"train.loss.0": "mean.out"`.
   */
  edges: {
    [k: string]: string;
  };
  interface?: Interface;
  view?: View;
  format: "hcpgraph/1";
  meta?: Meta;
  requires?: Requires;
  run?: RunOptions;
  graphs?: {
    [k: string]: DocumentBody;
  };
}
/**
 * Who made the graph and what it is for.
 */
export interface Meta {
  title?: string;
  description?: string;
  authors?: string[];
  license?: string;
}
/**
 * What must be there to run the graph; files by `root:path`.
 */
export interface Requires {
  hcpgraph?: string;
  packs?: {
    [k: string]: string;
  };
  files?: {
    [k: string]: FileRecord;
  };
}
/**
 * A file, or a folder of `count` files, that a run read.
 */
export interface FileRecord {
  sha256: string;
  size?: number;
  count?: number;
  hub?: string;
}
/**
 * With what the graph is run unless the call says otherwise.
 */
export interface RunOptions {
  seed?: number;
  precision?: "fp32" | "bf16" | "fp16";
}
/**
 * The body of a subgraph in a graph file.
 */
export interface DocumentBody {
  nodes: {
    [k: string]: NodeEntry;
  };
  /**
   * Target port -> source port: `"train.loss.0": "mean.out"`.
   */
  edges: {
    [k: string]: string;
  };
  interface?: Interface;
  view?: View;
}
export interface EventsMessage {
  type: "events";
  job: string;
  events: RunEvent[];
}
/**
 * One line of events.jsonl.
 */
export interface RunEvent {
  run: string;
  seq: number;
  /**
   * Since 1970.
   */
  t: number;
  kind:
    | "run_started"
    | "node_started"
    | "node_done"
    | "node_cached"
    | "node_failed"
    | "node_skipped"
    | "progress"
    | "metric"
    | "curve"
    | "artifact"
    | "checkpoint"
    | "log"
    | "run_done";
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node?: string;
  [k: string]:
    | Json
    | string
    | number
    | "run_started"
    | "node_started"
    | "node_done"
    | "node_cached"
    | "node_failed"
    | "node_skipped"
    | "progress"
    | "metric"
    | "curve"
    | "artifact"
    | "checkpoint"
    | "log"
    | "run_done"
    | undefined;
}
/**
 * GET /api/files
 */
export interface FileEntry {
  name: string;
  /**
   * `root:relative`.
   */
  uri: string;
  kind: "folder" | "image" | "weights" | "graph" | "text" | "other";
  size: number;
  /**
   * Since 1970.
   */
  modified: number;
  /**
   * Of a folder: how much lies in it.
   */
  count?: number;
}
export interface Gpu {
  name: string;
  used: number;
  total: number;
  load: number | null;
}
/**
 * GET /api/graphs
 */
export interface GraphEntry {
  name: string;
  title: string;
  /**
   * Since 1970.
   */
  modified: number;
  size: number;
}
/**
 * A graph as the API gives it: what is empty is there too. In a file it may be left out (`Document`).
 */
export interface GraphFile {
  nodes: {
    [k: string]: NodeEntry;
  };
  /**
   * Target port -> source port: `"train.loss.0": "mean.out"`.
   */
  edges: {
    [k: string]: string;
  };
  interface: Interface;
  view: View;
  format: "hcpgraph/1";
  meta: Meta;
  requires: Requires;
  run?: RunOptions;
  graphs: {
    [k: string]: Body;
  };
}
/**
 * GET /api/hello
 */
export interface Hello {
  version: string;
  workspace: string;
  roots: string[];
  worker: WorkerState;
  limits: Limits;
  languages: string[];
}
/**
 * The process that runs graphs.
 */
export interface WorkerState {
  state: "starting" | "idle" | "busy" | "restarting" | "dead";
  device: string | null;
  pid: number | null;
  problem: Problem | null;
}
/**
 * Of what is sent, in bytes.
 */
export interface Limits {
  graph: number;
  picture: number;
  text: number;
  weights: number;
}
export interface HelloMessage {
  type: "hello";
  version: string;
  worker: WorkerState;
}
/**
 * POST /api/import, GET /api/file-graph
 */
export interface Imported {
  graph: GraphFile;
  text: string;
  hash: string;
  name: string | null;
  etag: string | null;
  problems: Problem[];
  capabilities: Capabilities;
  source: "json" | "png" | "safetensors";
}
/**
 * A run: waiting, going on, or over.
 */
export interface Job {
  /**
   * Also the id of the run and the name of its folder below `runs:`.
   */
  id: string;
  status: "queued" | "running" | "done" | "failed" | "cancelled";
  title: string;
  graph_hash: string;
  targets: string[];
  position: number;
  /**
   * Since 1970.
   */
  created: number;
  started: number | null;
  ended: number | null;
  /**
   * Why it failed or was cancelled, if the run itself could not say: killed, out of memory.
   */
  reason: Problem | null;
  artifacts: number;
  /**
   * First picture it wrote, for lists.
   */
  picture: string | null;
}
export interface JobMessage {
  type: "job";
  job: Job;
}
/**
 * POST /api/layers
 */
export interface LayersReply {
  total: number;
  matched: number;
  names: string[];
  near: string[];
  groups: {
    [k: string]: number;
  };
  problems: Problem[];
}
/**
 * A line of the log of a run.
 */
export interface LogLine {
  seq: number;
  /**
   * Since 1970.
   */
  t: number;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node?: string;
  level: string;
  message: string;
}
/**
 * Where a kept result comes from.
 */
export interface MadeBy {
  run: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
}
/**
 * What the machine is doing: shares of one and bytes.
 */
export interface Meter {
  cpu: number;
  memory: number;
  memory_total: number;
  worker_memory: number;
  gpus: Gpu[];
}
export interface MeterMessage {
  type: "meter";
  meter: Meter;
}
/**
 * How far a node is.
 */
export interface NodeRun {
  state: "waiting" | "running" | "done" | "cached" | "failed" | "skipped";
  seconds?: number;
  /**
   * What the result follows from; equal keys, equal results.
   */
  key?: string;
  made_by?: MadeBy1;
  value?: number;
  total?: number;
  numbers?: {
    [k: string]: number;
  };
  problem?: Problem;
  /**
   * Where in the code it failed.
   */
  traceback?: string;
  /**
   * Those that are kept, oldest first.
   */
  checkpoints?: Checkpoint[];
}
/**
 * Of a cached result, where that is known.
 */
export interface MadeBy1 {
  run: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
}
/**
 * A node type, its texts in the asked language.
 */
export interface NodeSpec {
  id: string;
  version: number;
  title: string;
  help: string;
  doc: string;
  /**
   * Where the texts are not English.
   */
  title_en?: string;
  help_en?: string;
  /**
   * Its titles in further languages, to be searched.
   */
  also?: string[];
  pack: string;
  effects: string[];
  inputs: PortSpec[];
  outputs: PortSpec[];
  /**
   * It owns a region: `entries` are sources inside of it, `exits` targets fed from inside.
   */
  body: boolean;
  entries: PortSpec[];
  exits: PortSpec[];
  schema: SettingsSchema;
  setting_types: {
    [k: string]: string;
  };
  defaults: {
    [k: string]: Json;
  };
  mutates: string[];
  trains: string[];
  resumes: string[];
  choose?: Choose | null;
}
/**
 * One port of a node type.
 */
export interface PortSpec {
  name: string;
  /**
   * "Images", "list[Images]", "Captions?" (may be left open), "$T" (bound once a node), "any".
   */
  type: string;
  optional?: boolean;
  many?: boolean;
  lazy?: boolean;
  later?: boolean;
  /**
   * Of an entry that is an item of a list: that input.
   */
  each?: string;
  /**
   * Whether it is the number of that item instead.
   */
  number?: boolean;
  help?: string;
  facts?: {
    [k: string]: Json;
  };
  /**
   * The port for a whole bundle that can stand for this one.
   */
  part_of?: string;
}
/**
 * JSON Schema of all settings of a node type.
 */
export interface SettingsSchema {
  properties?: {
    [k: string]: SettingSchema;
  };
  required?: string[];
  type?: string;
  additionalProperties?: boolean;
}
/**
 * JSON Schema of one setting.
 */
export interface SettingSchema {
  type?: string | string[];
  anyOf?: SettingSchema[];
  enum?: Json[];
  const?: Json;
  items?: SettingSchema;
  default?: Json;
  title?: string;
  description?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  "x-widget"?: WidgetHint;
  [k: string]: unknown;
}
/**
 * How a setting is edited.
 */
export interface WidgetHint {
  kind: "auto" | "slider" | "prompt" | "textarea" | "text" | "seed" | "path" | "model" | "layers" | "formula";
  group?: string;
  advanced?: boolean;
  primary?: boolean;
  step?: number;
  log?: boolean;
  kind_of?: "file" | "folder" | "any";
  suffixes?: string[];
  write?: boolean;
  of?: string;
  operations?: {
    [k: string]: number;
  };
}
/**
 * A graph: canonical, defaults written out. Its problems are what had to be changed to open it.
 */
export interface Opened {
  graph: GraphFile;
  text: string;
  hash: string;
  name: string | null;
  etag: string | null;
  problems: Problem[];
}
/**
 * A binary frame, msgpack: a picture of a node's value while a run goes on.
 */
export interface PictureFrame {
  type: "picture";
  job: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  port: string;
  step: number | null;
  format: "image/webp";
  width: number;
  height: number;
  data: Uint8Array;
}
/**
 * POST /api/plan
 */
export interface PlanReply {
  ok: boolean;
  targets: string[];
  nodes: PlanRow[];
  /**
   * Node -> what its result follows from; also of nodes behind a cached one, which have no row.
   */
  keys: {
    [k: string]: string;
  };
  problems: Problem[];
}
/**
 * What a run would do with one node.
 */
export interface PlanRow {
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
  type: string;
  state: "runs" | "cached" | "unknown" | "perhaps";
  when: "once" | "every step";
  inside?: string;
  key?: string;
  checkpoint?: number;
  made_by?: MadeBy2;
}
/**
 * Of a cached result, where that is known.
 */
export interface MadeBy2 {
  run: string;
  /**
   * `node`, or `instance/node` inside a subgraph.
   */
  node: string;
}
export interface QueueMessage {
  type: "queue";
  jobs: Job[];
}
/**
 * GET /api/jobs/{id}/series: node -> name -> [[step, value], …], thinned by minimum and maximum of buckets.
 */
export interface Series {
  seq: number;
  series: {
    [k: string]: {
      [k: string]: [number, number][];
    };
  };
}
export interface WorkerMessage {
  type: "worker";
  worker: WorkerState;
}
export interface SpecsMessage {
  type: "specs";
  hash: string;
}
/**
 * GET /api/jobs/{id}: everything that the events up to `seq` say.
 */
export interface Snapshot {
  job: Job;
  seq: number;
  nodes: {
    [k: string]: NodeRun;
  };
  artifacts: Artifact[];
  log: LogLine[];
  /**
   * Nodes whose value has a picture -> a stamp of it, for GET /api/jobs/{id}/picture.
   */
  pictures: {
    [k: string]: string;
  };
}
/**
 * GET /api/specs
 */
export interface Specs {
  specs: NodeSpec[];
  types: TypeInfo[];
  /**
   * Target type -> source types that it takes; "Many[T]" is an input for many wires of T. Types that are not listed: ask /api/check.
   */
  accepts: {
    [k: string]: string[];
  };
  /**
   * First part of node ids -> its name, where a pack names it.
   */
  categories?: {
    [k: string]: string;
  };
  /**
   * Setting, or input of a graph -> its label, where a pack has one.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * Error code -> what it means, in the asked language.
   */
  codes: {
    [k: string]: string;
  };
  problems: Problem[];
  hash: string;
}
/**
 * A port type.
 */
export interface TypeInfo {
  name: string;
  bases: string[];
  color: string;
  shape: "circle" | "square" | "diamond" | "triangle";
  help: string;
  weights: string;
  facts: string[];
  /**
   * Of a bundle: the types of its parts, by name.
   */
  parts: {
    [k: string]: string;
  };
}
/**
 * POST /api/stamps
 */
export interface Stamps {
  /**
   * What changes with the content of each file; null for what is not there or not shown.
   */
  stamps: {
    [k: string]: string | null;
  };
}
/**
 * GET /api/templates
 */
export interface TemplateEntry {
  name: string;
  title: string;
  description: string;
  /**
   * Where the page gets it from.
   */
  picture: string | null;
  /**
   * The folder that it lies in, such as `quickstart`.
   */
  groups: string;
  /**
   * The node types in it and in its subgraphs.
   */
  uses: string[];
  /**
   * Whose files its settings name: it runs once they are there.
   */
  needs: ("models" | "data")[];
}
/**
 * POST /api/upload
 */
export interface Uploaded {
  /**
   * `root:relative`.
   */
  uri: string;
  sha256: string;
  size: number;
  count?: number;
  /**
   * Files of a folder that are of no use here.
   */
  skipped?: string[];
}
