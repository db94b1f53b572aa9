package dev.gatun.engine.cuda;

import dev.gatun.bindings.cuda.CudaContext;
import dev.gatun.bindings.cuda.CudaEvent;
import dev.gatun.bindings.cuda.CudaStream;
import java.lang.foreign.MemorySegment;

/**
 * The way between host and device: pinned blocks that the device copies from and to, a few of them, so that the host
 * fills or empties one while the device works on another.
 */
final class Staging {

    private static final int BLOCKS = 4;
    private static final long BLOCK_BYTES = 8L << 20;

    private final CudaStream stream;
    private final Faults faults;
    private final MemorySegment[] blocks = new MemorySegment[BLOCKS];
    private final CudaEvent[] free = new CudaEvent[BLOCKS];
    private int next;

    Staging(CudaContext context, CudaStream stream, Faults faults) {
        this.stream = stream;
        this.faults = faults;
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = context.allocatePinned(BLOCK_BYTES);
            free[i] = context.event();
        }
    }

    /** Returns when the host memory may be changed; the device may not have the numbers yet, but what is queued later sees them. */
    synchronized void copyIn(long to, MemorySegment from, long bytes) {
        for (long at = 0; at < bytes; at += BLOCK_BYTES) {
            long part = Math.min(BLOCK_BYTES, bytes - at);
            int i = next;
            next = (next + 1) % BLOCKS;
            free[i].synchronize();
            MemorySegment.copy(from, at, blocks[i], 0, part);
            stream.copyIn(to + at, blocks[i], part);
            stream.record(free[i]);
        }
    }

    synchronized void copyOut(MemorySegment to, long from, long bytes) {
        long parts = Math.ceilDiv(bytes, BLOCK_BYTES);
        for (int i = 0; i < BLOCKS; i++) {
            free[i].synchronize();
        }
        for (long part = 0; part < parts + BLOCKS - 1; part++) {
            if (part < parts) {
                int i = (int) (part % BLOCKS);
                stream.copyOut(blocks[i], from + part * BLOCK_BYTES, Math.min(BLOCK_BYTES, bytes - part * BLOCK_BYTES));
                stream.record(free[i]);
            }
            long done = part - (BLOCKS - 1);
            if (done >= 0) {
                int i = (int) (done % BLOCKS);
                free[i].synchronize();
                MemorySegment.copy(blocks[i], 0, to, done * BLOCK_BYTES, Math.min(BLOCK_BYTES, bytes - done * BLOCK_BYTES));
            }
        }
        faults.check();
    }
}
