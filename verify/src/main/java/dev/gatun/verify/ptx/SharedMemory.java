package dev.gatun.verify.ptx;

import java.util.Arrays;

/**
 * Shared memory of a block, in words of four bytes, each with its last writer and readers. Two threads of different warps
 * that touch a word, one of them writing, need a barrier of the block between; two threads of one warp need that or a
 * barrier of the warp.
 *
 * <p>An access is packed into a long: the block's barriers before it (from one on), the warp's own barriers, the thread.
 */
final class SharedMemory {

    private static final int THREAD_BITS = 10;
    private static final int WARP_BITS = 24;
    private static final long THREAD = (1 << THREAD_BITS) - 1;
    private static final int BLOCK_SHIFT = THREAD_BITS + WARP_BITS;
    private static final long WHEN = (1L << 58) - 1;

    /** Set on a reader's mark: other warps have read as well since the block's barrier, other lanes since the warp's. */
    private static final long WARPS = 1L << 60;
    private static final long LANES = 1L << 61;

    final byte[] data;
    private final long[] writer;
    private final long[] reader;

    SharedMemory(int bytes) {
        data = new byte[(bytes + 7) / 8 * 8];
        writer = new long[data.length / 4];
        reader = new long[data.length / 4];
    }

    /** Forgets everything: the next block begins. */
    void clear() {
        Arrays.fill(data, (byte) 0xFF);
        Arrays.fill(writer, 0);
        Arrays.fill(reader, 0);
    }

    /** How an access of a thread is noted. */
    static long mark(int blockInterval, int warpInterval, int thread) {
        return (long) blockInterval << BLOCK_SHIFT | (long) (warpInterval & (1 << WARP_BITS) - 1) << THREAD_BITS | thread;
    }

    /** Notes a read of a word; -1 when all is well, -2 when nobody wrote it, else the thread whose write may come before or after. */
    int read(int word, long mark) {
        long last = writer[word];
        if (last == 0) {
            return -2;
        }
        if (last != mark && races(last, mark)) {
            return (int) (last & THREAD);
        }
        long before = reader[word];
        if (before != mark) {
            reader[word] = noted(before, mark);
        }
        return -1;
    }

    private static long noted(long before, long mark) {
        if ((before & WHEN) >>> BLOCK_SHIFT != mark >>> BLOCK_SHIFT) {
            return mark;
        }
        long flags = before & WARPS;
        if (warp(before) != warp(mark)) {
            return mark | WARPS;
        }
        boolean sameInterval = (before & WHEN) >>> THREAD_BITS == mark >>> THREAD_BITS;
        if (sameInterval && ((before & LANES) != 0 || (before & THREAD) != (mark & THREAD))) {
            flags |= LANES;
        }
        return mark | flags;
    }

    private static long warp(long mark) {
        return (mark & THREAD) >>> 5;
    }

    /** Whether an earlier access of the word and this one have no order. */
    private static boolean races(long before, long mark) {
        if ((before & WHEN) >>> BLOCK_SHIFT != mark >>> BLOCK_SHIFT || (before & THREAD) == (mark & THREAD)) {
            return false;
        }
        return warp(before) != warp(mark) || (before & WHEN) >>> THREAD_BITS == mark >>> THREAD_BITS;
    }

    /** Notes a write of a word; -1 when all is well, else the thread whose access may come before or after. */
    int write(int word, long mark) {
        long last = writer[word];
        if (last != mark && last != 0 && races(last, mark)) {
            return (int) (last & THREAD);
        }
        long before = reader[word];
        if (before != 0 && (before & WHEN) >>> BLOCK_SHIFT == mark >>> BLOCK_SHIFT) {
            boolean lanes = (before & LANES) != 0 && (before & WHEN) >>> THREAD_BITS == mark >>> THREAD_BITS;
            if (races(before, mark) || (before & WARPS) != 0 || lanes) {
                return (int) (before & THREAD);
            }
        }
        writer[word] = mark;
        return -1;
    }
}
