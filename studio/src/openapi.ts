// The server's API: written by `make studio` from its OpenAPI, see openapi.py. Do not edit.

export interface Commands {
  cli: string;
  python: string;
  curl: string;
}

export interface Deleted {
  id: string;
  object: "video.deleted";
  deleted: boolean;
}

export interface Done {
  status: "completed" | "failed";
}

export interface ErrorBody {
  error: ErrorDetail;
}

export interface ErrorDetail {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

export interface Estimate {
  seconds: number | null;
  memory: number | null;
  loading: number | null;
  measured: number;
  waiting: number;
}

export interface Model {
  id: string;
  object: "model";
  created: number;
  owned_by: string;
  storyreel: ModelMore;
}

export interface ModelMore {
  system: string | null;
  about: string | null;
  parameters: number | null;
  conditional: boolean;
  sizes: Array<string>;
  any_size: boolean;
  frames: number | null;
  max_frames: number | null;
  fps: string | null;
  cannot: Array<string>;
  attributes: Record<string, Record<string, string>>;
  judged: Array<string>;
  origin: string;
}

export interface Models {
  object: "list";
  data: Array<Model>;
}

export interface Preview {
  step: number;
  image: string;
}

export interface Provenance {
  object: "provenance";
  model: string | null;
  served: boolean;
  request: Record<string, unknown>;
  inputs: Array<string>;
}

export interface Result {
  frames: number;
  fps: string;
  width: number;
  height: number;
  transparent: boolean;
  seconds: string;
  size: string;
  digest?: string;
  drawn?: Record<string, string>;
  restated?: Array<string>;
  candidates?: unknown;
  partial?: boolean;
  seed?: number;
  tries?: number;
  new_frames?: number;
  ticks?: Array<Tick>;
  right?: number;
  cost?: Record<string, number>;
}

export interface Scene {
  chosen: string;
  versions: Array<Video>;
}

export interface Scenes {
  object: "story";
  scenes: Array<Scene>;
}

export interface Tick {
  attribute: string;
  expected: string;
  seen: string;
  right: boolean;
}

export interface Video {
  id: string;
  object: "video";
  created_at: number;
  completed_at: number | null;
  expires_at: number | null;
  model: string;
  progress: number;
  prompt: string | null;
  remixed_from_video_id: string | null;
  seconds: string;
  size: string;
  status: "queued" | "in_progress" | "completed" | "failed";
  error: VideoError | null;
  storyreel: VideoMore;
}

export interface VideoError {
  code: string;
  message: string | null;
}

export interface VideoMore {
  seed: number;
  format: string;
  settings: Record<string, unknown>;
  inputs: Array<string>;
  max_tries: number;
  follows: string | null;
  step: string;
  queue_position: number | null;
  started_at: number | null;
  made_in_seconds: number | null;
  favourite: boolean;
  result: Result | null;
  has_content: boolean;
  commands: Commands;
}

export interface Videos {
  object: "list";
  data: Array<Video>;
  has_more: boolean;
  first_id: string | null;
  last_id: string | null;
}

export interface EstimatedBody {
  prompt?: string;
  story?: Array<[string, number]>;
  frames?: number;
  seconds?: number;
  start?: number;
  fps?: string;
  steps?: number;
  guidance?: number;
  reuse?: number;
  backward?: boolean;
  negative?: string;
  motion?: number;
  fit?: "crop" | "pad";
  transparent?: boolean;
  loop?: boolean;
  stage?: string;
  size?: string;
  precision?: "fp32" | "bf16" | "fp16";
  tiling?: boolean;
  layerwise?: boolean;
  step_cache?: string;
  candidates?: number;
  encoder?: string;
  crisp?: boolean;
  retouch?: boolean;
  as_written?: boolean;
  num_frames?: number;
  guidance_scale?: number;
  num_inference_steps?: number;
  negative_prompt?: string;
  model?: string;
  seed?: number;
  format?: "mp4" | "webm" | "gif" | "webp" | "apng";
  max_tries?: number;
  input_reference?: { image_url?: string };
}

export interface ProvenanceBody {
  input_reference: { image_url?: string };
}

export interface ExtendBody {
  prompt?: string;
  story?: Array<[string, number]>;
  frames?: number;
  seconds?: number;
  start?: number;
  fps?: string;
  steps?: number;
  guidance?: number;
  reuse?: number;
  backward?: boolean;
  negative?: string;
  motion?: number;
  fit?: "crop" | "pad";
  transparent?: boolean;
  loop?: boolean;
  stage?: string;
  size?: string;
  precision?: "fp32" | "bf16" | "fp16";
  tiling?: boolean;
  layerwise?: boolean;
  step_cache?: string;
  candidates?: number;
  encoder?: string;
  crisp?: boolean;
  retouch?: boolean;
  as_written?: boolean;
  num_frames?: number;
  guidance_scale?: number;
  num_inference_steps?: number;
  negative_prompt?: string;
  model?: string;
  seed?: number;
  format?: "mp4" | "webm" | "gif" | "webp" | "apng";
  max_tries?: number;
  video: { id: string };
}

export interface ChangeBody {
  favourite?: boolean;
  before?: string | null;
}

export interface RemixBody {
  prompt?: string;
  story?: Array<[string, number]>;
  frames?: number;
  seconds?: number;
  start?: number;
  fps?: string;
  steps?: number;
  guidance?: number;
  reuse?: number;
  backward?: boolean;
  negative?: string;
  motion?: number;
  fit?: "crop" | "pad";
  transparent?: boolean;
  loop?: boolean;
  stage?: string;
  size?: string;
  precision?: "fp32" | "bf16" | "fp16";
  tiling?: boolean;
  layerwise?: boolean;
  step_cache?: string;
  candidates?: number;
  encoder?: string;
  crisp?: boolean;
  retouch?: boolean;
  as_written?: boolean;
  num_frames?: number;
  guidance_scale?: number;
  num_inference_steps?: number;
  negative_prompt?: string;
  model?: string;
  seed?: number;
  format?: "mp4" | "webm" | "gif" | "webp" | "apng";
  max_tries?: number;
}
