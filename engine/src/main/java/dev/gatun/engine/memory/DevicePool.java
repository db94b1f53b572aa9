package dev.gatun.engine.memory;

import dev.gatun.bindings.cuda.CudaContext;
import dev.gatun.bindings.cuda.CudaException;
import dev.gatun.bindings.cuda.CudaStream;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Memory of a CUDA device, in the size classes of {@link HostPool}. All work on it is queued on one stream, so a block
 * may be handed out again as soon as it is given back: what used it before is queued before what uses it next. Small
 * blocks are cut from slabs; free large ones go back to the driver, oldest first, when it has no more.
 *
 * <p>{@code -Dgatun.poison=true} fills blocks with NaN before they are handed out, as on the host. An emulated device
 * finds accesses outside of what it gave, so there every block is its own piece of the device's memory, of just its size.
 */
public final class DevicePool implements Pool {

    private static final long SLAB_BYTES = 32L << 20;
    private static final long SMALL_BYTES = 4L << 20;
    private static final int SHOWN = 5;

    private final CudaContext context;
    private final CudaStream stream;
    private final ArrayDeque<Block>[] free;
    private final Set<Block> live = Collections.newSetFromMap(new IdentityHashMap<>());
    private final boolean exact;
    private final boolean poison = Boolean.getBoolean("gatun.poison");
    private long slab;
    private long slabUsed = SLAB_BYTES;
    private long heldBytes;
    private long liveBytes;
    private long peakBytes;
    private long returns;

    @SuppressWarnings("unchecked") // an array of a generic type cannot be made otherwise
    public DevicePool(CudaContext context, CudaStream stream) {
        this.context = context;
        this.stream = stream;
        this.exact = context.info().emulated();
        this.free = new ArrayDeque[Long.SIZE * 4];
        for (int i = 0; i < free.length; i++) {
            free[i] = new ArrayDeque<>();
        }
    }

    @Override
    public synchronized Block take(long bytes, Object holds) {
        int sizeClass = HostPool.sizeClass(Math.max(bytes, 256));
        Block block = exact ? new Block(fromDriver(Math.max(bytes, 1)), Math.max(bytes, 1), sizeClass) : free[sizeClass].pollLast();
        if (block == null) {
            block = fresh(HostPool.classBytes(sizeClass), sizeClass);
        }
        block.holds = holds;
        live.add(block);
        liveBytes += block.bytes();
        peakBytes = Math.max(peakBytes, liveBytes);
        if (poison) {
            stream.fill(block.segment().address(), (byte) 0xFF, block.bytes());
        }
        return block;
    }

    @Override
    public synchronized void give(Block block) {
        live.remove(block);
        liveBytes -= block.bytes();
        block.holds = null;
        if (exact) {
            context.free(block.segment().address());
            heldBytes -= block.bytes();
            return;
        }
        block.returnedAt = ++returns;
        free[block.sizeClass].addLast(block);
    }

    /** Bytes got from the driver and not given back. */
    public synchronized long heldBytes() {
        return heldBytes;
    }

    /** Bytes of the blocks that are handed out. */
    public synchronized long liveBytes() {
        return liveBytes;
    }

    /** The most {@link #liveBytes()} so far. */
    public synchronized long peakBytes() {
        return peakBytes;
    }

    private Block fresh(long bytes, int sizeClass) {
        if (bytes > SMALL_BYTES) {
            return new Block(fromDriver(bytes), bytes, sizeClass);
        }
        if (slabUsed + bytes > SLAB_BYTES) {
            slab = fromDriver(SLAB_BYTES);
            slabUsed = 0;
        }
        long address = slab + slabUsed;
        slabUsed += bytes;
        return new Block(address, bytes, sizeClass);
    }

    private long fromDriver(long bytes) {
        while (true) {
            try {
                long address = context.allocate(bytes);
                heldBytes += bytes;
                return address;
            } catch (CudaException e) {
                if (!e.outOfMemory()) {
                    throw e;
                }
                if (!trimOldest()) {
                    throw new MemoryException(refusal(bytes), e);
                }
            }
        }
    }

    /** Gives the free large block that was unused longest back to the driver, which waits for the device first. */
    private boolean trimOldest() {
        ArrayDeque<Block> oldest = null;
        for (int c = HostPool.sizeClass(SMALL_BYTES + 1); c < free.length; c++) {
            Block first = free[c].peekFirst();
            if (first != null && (oldest == null || first.returnedAt < oldest.peekFirst().returnedAt)) {
                oldest = free[c];
            }
        }
        if (oldest == null) {
            return false;
        }
        Block block = oldest.pollFirst();
        context.free(block.segment().address());
        heldBytes -= block.bytes();
        return true;
    }

    private String refusal(long bytes) {
        return "cuda:" + context.info().ordinal() + ": no block of " + bytes + " bytes: " + heldBytes + " are held, "
                + liveBytes + " of them in use, " + context.freeBytes() + " of " + context.info().bytes()
                + " are free; the largest in use are"
                + live.stream().sorted(Comparator.comparingLong(Block::bytes).reversed()).limit(SHOWN)
                        .map(block -> "\n  " + block.holds + ", " + block.bytes() + " bytes")
                        .collect(Collectors.joining());
    }
}
