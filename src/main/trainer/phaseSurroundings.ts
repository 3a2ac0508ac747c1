import type { Report, TrainCommand } from '../../shared/contract/worker.ts';
import type { Executor } from '../engine/executor.ts';
import type { Control } from './control.ts';
import type { DiskSpace } from './featureCache.ts';
import type { RunData } from './runData.ts';

/** What every phase of a run is opened with. */
export interface PhaseSurroundings {
  readonly command: TrainCommand;
  readonly data: RunData;
  readonly executor: Executor;
  readonly control: Control;
  readonly report: (report: Report) => void;
  /** Free and whole bytes of the disk that a folder lies on; asked of the system when left out. */
  readonly measureDisk?: ((folder: string) => DiskSpace) | undefined;
}
