package dev.gatun.engine.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Off-heap memory of this process, kept in free lists by size class: four classes per power of
 * two, so that at most a fifth of a block is wasted. Small blocks are cut from slabs; a large one
 * has an arena of its own, and free ones go back to the system, oldest first, when the limit is
 * passed. Closing a shared arena costs a handshake with every thread, so nothing else closes one.
 *
 * <p>{@code -Dgatun.memory.limit=BYTES} bounds what is held (default: no bound but the system's);
 * {@code -Dgatun.poison=true} fills blocks with NaN before they are handed out, which catches a
 * kernel that reads what it did not write.
 */
public final class HostPool implements Pool {

    /** Every block starts at a multiple of this. */
    public static final long ALIGNMENT = 64;

    private static final long SLAB_BYTES = 4L << 20;
    private static final long SMALL_BYTES = 1L << 20;
    private static final int SMALLEST_LOG = 6;
    private static final HostPool SHARED = new HostPool(Long.getLong("gatun.memory.limit", Long.MAX_VALUE));

    private final long limit;
    private final FreeList[] free = new FreeList[(Long.SIZE - SMALLEST_LOG) * 4];
    private final AtomicLong held = new AtomicLong();
    private final AtomicLong live = new AtomicLong();
    private final AtomicLong peak = new AtomicLong();
    private final AtomicLong slabs = new AtomicLong();
    private final AtomicLong returns = new AtomicLong();
    private final Object slabLock = new Object();
    private MemorySegment slab = MemorySegment.NULL;
    private long slabUsed;
    private volatile boolean poison = Boolean.getBoolean("gatun.poison");
    private volatile boolean injecting;
    private final ThreadLocal<Long> takesUntilFailure = new ThreadLocal<>();

    private static final class FreeList {
        final ArrayDeque<Block> blocks = new ArrayDeque<>();
    }

    HostPool(long limit) {
        this.limit = limit;
        for (int i = 0; i < free.length; i++) {
            free[i] = new FreeList();
        }
    }

    /** The pool that all host tensors live in. */
    public static HostPool shared() {
        return SHARED;
    }

    @Override
    public Block take(long bytes, Object holds) {
        return take(bytes);
    }

    /**
     * A block of at least {@code bytes}. Its content is arbitrary.
     *
     * @throws MemoryException when the limit or the system refuses
     */
    public Block take(long bytes) {
        if (injecting) {
            injectFailure(bytes);
        }
        int sizeClass = sizeClass(bytes);
        FreeList list = free[sizeClass];
        Block block;
        synchronized (list) {
            block = list.blocks.pollLast();
        }
        if (block == null) {
            block = fresh(sizeClass);
        }
        long size = block.segment().byteSize();
        long now = live.addAndGet(size);
        if (now > peak.get()) {
            peak.accumulateAndGet(now, Math::max);
        }
        if (poison) {
            block.segment().fill((byte) 0xFF);
        }
        return block;
    }

    @Override
    public void give(Block block) {
        live.addAndGet(-block.segment().byteSize());
        block.returnedAt = returns.incrementAndGet();
        FreeList list = free[block.sizeClass];
        synchronized (list) {
            list.blocks.addLast(block);
        }
    }

    /** Bytes got from the system and not given back. */
    public long heldBytes() {
        return held.get();
    }

    /** Bytes of the blocks that are handed out. */
    public long liveBytes() {
        return live.get();
    }

    /** Largest {@link #liveBytes()} since the start or the last {@link #resetPeak()}. */
    public long peakBytes() {
        return peak.get();
    }

    /** Starts a new measurement of {@link #peakBytes()}. */
    public void resetPeak() {
        peak.set(live.get());
    }

    /** How often memory was got from the system; constant in a steady training run. */
    public long systemAllocations() {
        return slabs.get();
    }

    /** Turns filling of blocks with NaN on or off, as {@code -Dgatun.poison} does at the start. */
    public void poison(boolean on) {
        poison = on;
    }

    /**
     * Lets the calling thread's {@code n}-th next {@link #take} fail (the first is 1), once. Zero
     * takes the order back. For tests of what callers do when memory runs out.
     */
    public void failAt(long n) {
        takesUntilFailure.set(n == 0 ? null : n);
        injecting |= n != 0;
    }

    private void injectFailure(long bytes) {
        Long left = takesUntilFailure.get();
        if (left != null) {
            takesUntilFailure.set(left == 1 ? null : left - 1);
            if (left == 1) {
                throw new MemoryException("injected failure of a block of " + bytes + " bytes", null);
            }
        }
    }

    private Block fresh(int sizeClass) {
        long bytes = classBytes(sizeClass);
        return bytes > SMALL_BYTES ? ownArena(bytes, sizeClass) : fromSlab(bytes, sizeClass);
    }

    private Block fromSlab(long bytes, int sizeClass) {
        synchronized (slabLock) {
            if (slabUsed + bytes > slab.byteSize()) {
                slab = fromSystem(Arena.global(), SLAB_BYTES);
                slabUsed = 0;
            }
            MemorySegment piece = slab.asSlice(slabUsed, bytes);
            slabUsed += bytes;
            return new Block(piece, sizeClass, null);
        }
    }

    private Block ownArena(long bytes, int sizeClass) {
        Arena arena = Arena.ofShared();
        try {
            return new Block(fromSystem(arena, bytes), sizeClass, arena);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private MemorySegment fromSystem(Arena arena, long bytes) {
        while (held.get() + bytes > limit && trimOldest()) { }
        if (held.get() + bytes > limit) {
            throw new MemoryException(refusal(bytes) + ", the limit is " + limit, null);
        }
        try {
            MemorySegment segment = arena.allocate(bytes, ALIGNMENT);
            held.addAndGet(bytes);
            slabs.incrementAndGet();
            return segment;
        } catch (OutOfMemoryError e) {
            if (trimOldest()) {
                return fromSystem(arena, bytes);
            }
            throw new MemoryException(refusal(bytes) + ", the system has no more", e);
        }
    }

    private String refusal(long bytes) {
        return "no block of " + bytes + " bytes: " + held.get() + " are held, " + live.get() + " of them in use";
    }

    /** Gives the free block with an arena of its own that was unused longest back to the system. */
    private boolean trimOldest() {
        FreeList oldestList = null;
        long oldest = Long.MAX_VALUE;
        for (int c = sizeClass(SMALL_BYTES + 1); c < free.length; c++) {
            synchronized (free[c]) {
                Block first = free[c].blocks.peekFirst();
                if (first != null && first.returnedAt < oldest) {
                    oldest = first.returnedAt;
                    oldestList = free[c];
                }
            }
        }
        if (oldestList == null) {
            return false;
        }
        Block block;
        synchronized (oldestList) {
            block = oldestList.blocks.pollFirst();
        }
        if (block != null) {
            block.release();
            held.addAndGet(-block.segment().byteSize());
        }
        return true;
    }

    /** Index of the smallest class that holds {@code bytes}. */
    static int sizeClass(long bytes) {
        long size = Math.max(bytes, 1L << SMALLEST_LOG);
        int log = Long.SIZE - 1 - Long.numberOfLeadingZeros(size);
        long quarter = 1L << (log - 2);
        long steps = (size - (1L << log) + quarter - 1) / quarter;
        return (log - SMALLEST_LOG) * 4 + (int) steps;
    }

    /** Bytes of the blocks of a class, a multiple of the alignment. */
    static long classBytes(int sizeClass) {
        int log = sizeClass / 4 + SMALLEST_LOG;
        long size = (1L << log) + (sizeClass % 4) * (1L << (log - 2));
        return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
